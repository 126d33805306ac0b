"""The suite of nacos-sdk-python: `suite.py main` runs the cases, `suite.py hold` keeps an instance.

What it is told and what it answers: see `../main.rs`.
"""

import asyncio
import importlib.metadata
import json
import os
import sys
import tempfile

from v2.nacos import (
    BatchRegisterInstanceParam,
    ClientConfigBuilder,
    ConfigParam,
    DeregisterInstanceParam,
    GetServiceParam,
    ListInstanceParam,
    ListServiceParam,
    NacosConfigService,
    NacosException,
    NacosNamingService,
    RegisterInstanceParam,
    SubscribeServiceParam,
)

# Longer than anything here may take, even on a busy machine.
PATIENCE = 60.0
HELD = "held"
HELD_PORT = 7000


def say(**what):
    print("@" + json.dumps(what), flush=True)


async def client(servers, namespace="public"):
    config = (
        ClientConfigBuilder()
        .server_address(servers)
        .namespace_id(namespace)
        .cache_dir(tempfile.mkdtemp(dir=os.environ["SUITE_DIR"]))
        .log_dir(os.environ["SUITE_DIR"])
        .log_level("ERROR")
        .load_cache_at_start(False)
        .build()
    )
    # Without it the SDK keeps the last instance of a service for ever.
    config.set_update_cache_when_empty(True)
    return await NacosNamingService.create_naming_service(config)


def instance(service, port, ip="10.1.0.1", **more):
    return RegisterInstanceParam(service_name=service, ip=ip, port=port, **more)


async def every(who, service, healthy=None, **more):
    return await who.list_instances(
        ListInstanceParam(service_name=service, subscribe=False, healthy_only=healthy, **more)
    )


def ports(instances):
    return sorted(one.port for one in instances)


async def until(what, is_so):
    """Asks again and again until it is so; what was seen last is in the error."""
    end = asyncio.get_running_loop().time() + PATIENCE
    seen = None
    while asyncio.get_running_loop().time() < end:
        good, seen = await is_so()
        if good:
            return seen
        await asyncio.sleep(0.05)
    raise AssertionError(f"never: {what}; last seen: {seen}")


async def sees(who, service, wanted, **more):
    async def ask():
        seen = ports(await every(who, service, **more))
        return seen == wanted, seen

    await until(f"{service} has ports {wanted}", ask)


async def refused(what, call):
    """The call ends with the SDK's own error, and it is told."""
    try:
        await asyncio.wait_for(call, PATIENCE)
    except NacosException as error:
        assert str(error), f"{what}: an error without a text"
        return
    raise AssertionError(f"{what} was accepted")


class Watcher:
    """The latest list of a service as the SDK pushes it, and which instances left it."""

    def __init__(self):
        self.hosts = None
        self.removed = set()
        self.changed = asyncio.Condition()

    async def on_change(self, hosts):
        async with self.changed:
            now = {f"{one.ip}:{one.port}": one for one in hosts}
            self.removed |= set(self.hosts or {}) - set(now)
            self.hosts = now
            self.changed.notify_all()

    async def until(self, what, is_so):
        async with self.changed:
            ready = lambda: self.hosts is not None and is_so(self.hosts)
            try:
                await asyncio.wait_for(self.changed.wait_for(ready), PATIENCE)
            except asyncio.TimeoutError:
                raise AssertionError(f"never pushed: {what}; last: {self.hosts}") from None


async def register(a, b):
    assert await a.register_instance(instance("register", 80))
    await sees(a, "register", [80])
    await sees(b, "register", [80])


async def metadata_and_weight(a, b):
    assert await a.register_instance(instance("change", 80, metadata={"zone": "a"}))
    changed = instance("change", 80, metadata={"zone": "b", "version": "2"}, weight=2.5)
    assert await a.update_instance(changed)

    async def ask():
        seen = await every(b, "change")
        right = [(one.metadata, one.weight) for one in seen]
        return right == [({"zone": "b", "version": "2"}, 2.5)], right

    await until("metadata and weight changed on the other node", ask)


async def batch(a, b):
    three = [instance("batch", port) for port in (81, 82, 83)]
    assert await a.batch_register_instances(
        BatchRegisterInstanceParam(service_name="batch", instances=three)
    )
    await sees(b, "batch", [81, 82, 83])
    assert await a.batch_deregister_instances(
        BatchRegisterInstanceParam(service_name="batch", instances=three[:1])
    )
    await sees(b, "batch", [82, 83])


async def deregister(a, b):
    assert await a.register_instance(instance("deregister", 80))
    await sees(b, "deregister", [80])
    assert await a.deregister_instance(
        DeregisterInstanceParam(service_name="deregister", ip="10.1.0.1", port=80)
    )
    await sees(a, "deregister", [])
    await sees(b, "deregister", [])


async def select_healthy(a, b):
    mixed = [
        instance("healthy", 81),
        instance("healthy", 82),
        instance("healthy", 83, healthy=False),
    ]
    await a.batch_register_instances(
        BatchRegisterInstanceParam(service_name="healthy", instances=mixed)
    )
    await sees(b, "healthy", [81, 82, 83])
    await sees(b, "healthy", [81, 82], healthy=True)
    await sees(b, "healthy", [83], healthy=False)


async def subscribe(a, b):
    watcher = Watcher()

    async def callback(hosts):
        await watcher.on_change(hosts)

    wanted = SubscribeServiceParam(service_name="watched", subscribe_callback=callback)
    await b.subscribe(wanted)
    await a.register_instance(instance("watched", 80))
    await watcher.until("added", lambda hosts: set(hosts) == {"10.1.0.1:80"})
    await a.update_instance(instance("watched", 80, metadata={"v": "2"}, weight=3))
    await watcher.until(
        "changed",
        lambda hosts: [(h.metadata, h.weight) for h in hosts.values()] == [({"v": "2"}, 3.0)],
    )
    await a.deregister_instance(
        DeregisterInstanceParam(service_name="watched", ip="10.1.0.1", port=80)
    )
    await watcher.until("removed", lambda hosts: not hosts)
    await b.unsubscribe(wanted)


async def groups(a, b):
    await a.register_instance(instance("grouped", 81, group_name="g1"))
    await a.register_instance(instance("grouped", 82, group_name="g2"))
    await sees(b, "grouped", [81], group_name="g1")
    await sees(b, "grouped", [82], group_name="g2")
    await sees(b, "grouped", [])


async def namespaces(a, b):
    there, also = await asyncio.gather(
        client(os.environ["SUITE_A"], "other"), client(os.environ["SUITE_B"], "other")
    )
    await there.register_instance(instance("spaced", 81))
    await a.register_instance(instance("spaced", 82))
    await sees(also, "spaced", [81])
    await sees(b, "spaced", [82])
    await there.shutdown()
    await sees(also, "spaced", [])
    await also.shutdown()


async def clusters(a, b):
    both = [
        instance("clustered", 81, cluster_name="east"),
        instance("clustered", 82, cluster_name="west"),
    ]
    await a.batch_register_instances(
        BatchRegisterInstanceParam(service_name="clustered", instances=both)
    )
    await sees(b, "clustered", [81, 82])
    await sees(b, "clustered", [81], clusters=["east"])
    await sees(b, "clustered", [81, 82], clusters=["east", "west"])
    service = await b.get_service(GetServiceParam(service_name="clustered", clusters=["west"]))
    assert ports(service.hosts) == [82], service


async def paging(a, b):
    names = {f"page-{number}" for number in range(7)}
    for name in names:
        await a.register_instance(instance(name, 80, group_name="paged"))

    async def page(number):
        return await b.list_services(
            ListServiceParam(group_name="paged", page_no=number, page_size=3)
        )

    async def all_there():
        seen = await page(1)
        return seen.count == 7, seen

    await until("seven services", all_there)
    pages = [(await page(number)).services for number in (1, 2, 3, 4)]
    assert [len(one) for one in pages] == [3, 3, 1, 0], pages
    assert {name for one in pages for name in one} == names, pages


async def wrong_input(a, b):
    await refused("an empty name", a.register_instance(instance("", 80)))
    await refused("a name with a blank", a.register_instance(instance("a b", 80)))
    await refused("a port over 65535", a.register_instance(instance("wrong", 65536)))
    await refused(
        "a cluster with a dot", a.register_instance(instance("wrong", 80, cluster_name="a.b"))
    )
    await refused("a group with a blank", a.register_instance(instance("wrong", 80, group_name="a b")))
    assert await a.server_health(), "a refusal cost the connection"
    await a.register_instance(instance("right", 80))
    await sees(b, "right", [80])
    await sees(b, "wrong", [])


async def persistent_refused(a, b):
    await refused(
        "a persistent instance", a.register_instance(instance("lasting", 80, ephemeral=False))
    )
    assert await a.server_health(), "a refusal cost the connection"


async def config_refused(a, b):
    config = (
        ClientConfigBuilder()
        .server_address(os.environ["SUITE_A"])
        .cache_dir(tempfile.mkdtemp(dir=os.environ["SUITE_DIR"]))
        .log_dir(os.environ["SUITE_DIR"])
        .log_level("ERROR")
        .build()
    )
    service = await NacosConfigService.create_config_service(config)
    await refused(
        "a configuration",
        service.publish_config(ConfigParam(data_id="d", group="DEFAULT_GROUP", content="c")),
    )
    await service.shutdown()


CASES = [
    register,
    metadata_and_weight,
    batch,
    deregister,
    select_healthy,
    subscribe,
    groups,
    namespaces,
    clusters,
    paging,
    wrong_input,
    persistent_refused,
    config_refused,
]


async def lines():
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := await reader.readline():
        yield line.decode().split()


async def observe(b):
    """Answers what the driver asks about the held service, until it has no more questions."""
    watcher = Watcher()

    async def callback(hosts):
        await watcher.on_change(hosts)

    await b.subscribe(SubscribeServiceParam(service_name=HELD, subscribe_callback=callback))
    say(observing=HELD)
    async for words in lines():
        try:
            match words:
                case ["present", address]:
                    await watcher.until(f"{address} present", lambda hosts: address in hosts)
                    say(present=address)
                case ["absent", address]:
                    await watcher.until(f"{address} absent", lambda hosts: address not in hosts)
                    say(absent=address)
                case ["mark"]:
                    watcher.removed = set()
                    say(marked=True)
                case ["removed"]:
                    say(removed=sorted(watcher.removed))
                case ["sees", service, *wanted]:
                    await sees(b, service, [int(port) for port in wanted])
                    say(sees=service)
                case ["end"]:
                    return
        except Exception as error:  # noqa: BLE001 - the driver tells it
            say(**{words[0]: False}, error=str(error))


async def main():
    say(sdk="nacos-sdk-python", version=importlib.metadata.version("nacos-sdk-python"))
    a, b = await client(os.environ["SUITE_A"]), await client(os.environ["SUITE_B"])
    only = os.environ.get("SUITE_CASES", "").split()
    for case in CASES:
        name = case.__name__.replace("_", "-")
        if only and name not in only:
            continue
        try:
            await case(a, b)
            say(case=name, ok=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the case failed and is told
            say(case=name, ok=False, why=f"{type(error).__name__}: {error}")
    say(cases="done")
    await observe(b)
    await a.shutdown()
    await b.shutdown()


async def hold():
    who = await client(os.environ["SUITE_ALL"])
    assert await who.register_instance(instance(HELD, HELD_PORT, metadata={"by": "hold"}))
    say(holding=f"10.1.0.1:{HELD_PORT}")
    async for words in lines():
        if words == ["end"]:
            break
    await who.shutdown()


asyncio.run({"main": main, "hold": hold}[sys.argv[1]]())
