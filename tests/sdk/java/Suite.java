import com.alibaba.nacos.api.NacosFactory;
import com.alibaba.nacos.api.PropertyKeyConst;
import com.alibaba.nacos.api.config.ConfigService;
import com.alibaba.nacos.api.exception.NacosException;
import com.alibaba.nacos.api.exception.runtime.NacosRuntimeException;
import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.EventListener;
import com.alibaba.nacos.api.naming.listener.NamingEvent;
import com.alibaba.nacos.api.naming.pojo.Instance;
import com.alibaba.nacos.api.naming.pojo.ListView;
import com.alibaba.nacos.api.selector.ExpressionSelector;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.stream.Collectors;

/**
 * The suite of nacos-client 2.x and 3.x: {@code Suite main} runs the cases, {@code Suite hold} keeps
 * an instance. What it is told and what it answers: see {@code ../main.rs}.
 */
public final class Suite {
    /** Longer than anything here may take, even on a busy machine. */
    static final long PATIENCE_MILLIS = 60_000;
    static final String GROUP = "DEFAULT_GROUP";
    /** Of NacosException, from 3.0 on. */
    static final int NOT_IMPLEMENTED = 501;
    static final String HELD = "held";
    static final int HELD_PORT = 7000;

    interface Case {
        void run(NamingService a, NamingService b) throws Exception;
    }

    interface Ask<T> {
        T ask() throws Exception;
    }

    interface Call {
        void call() throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        String dir = System.getenv("SUITE_DIR");
        System.setProperty("JM.LOG.PATH", dir);
        System.setProperty("JM.SNAPSHOT.PATH", dir);
        System.setProperty("user.home", dir);
        switch (arguments[0]) {
            case "main" -> mainRole();
            case "hold" -> holdRole();
            default -> throw new IllegalArgumentException("no role " + arguments[0]);
        }
        System.exit(0);
    }

    // ---- what the driver reads

    static void say(Object... pairs) {
        StringBuilder line = new StringBuilder("@{");
        for (int i = 0; i < pairs.length; i += 2) {
            line.append(i == 0 ? "" : ",").append(json(pairs[i])).append(':').append(json(pairs[i + 1]));
        }
        synchronized (System.out) {
            System.out.println(line.append('}'));
            System.out.flush();
        }
    }

    static String json(Object value) {
        if (value instanceof Boolean) {
            return value.toString();
        }
        if (value instanceof Iterable<?> all) {
            List<String> words = new ArrayList<>();
            all.forEach(one -> words.add(json(one)));
            return "[" + String.join(",", words) + "]";
        }
        StringBuilder text = new StringBuilder("\"");
        for (char c : String.valueOf(value).toCharArray()) {
            if (c == '"' || c == '\\') {
                text.append('\\').append(c);
            } else if (c < ' ') {
                text.append(String.format("\\u%04x", (int) c));
            } else {
                text.append(c);
            }
        }
        return text.append('"').toString();
    }

    // ---- clients and what they see

    static Properties properties(String servers, String namespace) {
        Properties properties = new Properties();
        properties.put(PropertyKeyConst.SERVER_ADDR, servers);
        properties.put(PropertyKeyConst.NAMESPACE, namespace);
        return properties;
    }

    static NamingService client(String where, String namespace) throws NacosException {
        return NacosFactory.createNamingService(properties(System.getenv(where), namespace));
    }

    static Instance instance(int port) {
        Instance instance = new Instance();
        instance.setIp("10.1.0.1");
        instance.setPort(port);
        return instance;
    }

    static Instance inCluster(int port, String cluster) {
        Instance instance = instance(port);
        instance.setClusterName(cluster);
        return instance;
    }

    static List<Integer> ports(List<Instance> instances) {
        return instances.stream().map(Instance::getPort).sorted().collect(Collectors.toList());
    }

    static <T> void until(String what, Ask<T> ask, Predicate<T> isSo) throws Exception {
        long end = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
        Object last = "nothing";
        while (System.nanoTime() < end) {
            try {
                T seen = ask.ask();
                if (isSo.test(seen)) {
                    return;
                }
                last = seen;
            } catch (NacosException error) {
                last = error;
            }
            Thread.sleep(50);
        }
        throw new AssertionError("never: " + what + "; last seen: " + last);
    }

    static void sees(NamingService who, String service, String group, List<String> clusters, Integer... wanted)
            throws Exception {
        List<Integer> right = List.of(wanted);
        until(service + " has ports " + right,
                () -> ports(who.getAllInstances(service, group, clusters, false)), right::equals);
    }

    static void sees(NamingService who, String service, Integer... wanted) throws Exception {
        sees(who, service, GROUP, List.of(), wanted);
    }

    /** The call ends with the SDK's own error, and it is told. */
    static void refused(String what, Call call) throws Exception {
        try {
            call.call();
        } catch (NacosException error) {
            check(error.toString().length() > 0, what + ": an error without a text");
            return;
        }
        throw new AssertionError(what + " was accepted");
    }

    static void check(boolean isSo, String otherwise) {
        if (!isSo) {
            throw new AssertionError(otherwise);
        }
    }

    /** The latest list of a service as the SDK pushes it, and which instances left it. */
    static final class Watcher implements EventListener {
        private Map<String, Instance> hosts;
        private final Set<String> removed = new TreeSet<>();

        @Override
        public synchronized void onEvent(com.alibaba.nacos.api.naming.listener.Event event) {
            Map<String, Instance> now = new TreeMap<>();
            for (Instance one : ((NamingEvent) event).getInstances()) {
                now.put(one.getIp() + ":" + one.getPort(), one);
            }
            if (hosts != null) {
                hosts.keySet().stream().filter(key -> !now.containsKey(key)).forEach(removed::add);
            }
            hosts = now;
            notifyAll();
        }

        synchronized void until(String what, Predicate<Map<String, Instance>> isSo) throws Exception {
            long end = System.nanoTime() + PATIENCE_MILLIS * 1_000_000;
            while (hosts == null || !isSo.test(hosts)) {
                long left = (end - System.nanoTime()) / 1_000_000;
                check(left > 0, "never pushed: " + what + "; last: " + hosts);
                wait(left);
            }
        }

        synchronized void mark() {
            removed.clear();
        }

        synchronized List<String> removed() {
            return List.copyOf(removed);
        }
    }

    // ---- the cases

    static void register(NamingService a, NamingService b) throws Exception {
        a.registerInstance("register", GROUP, instance(80));
        sees(a, "register", 80);
        sees(b, "register", 80);
    }

    static void metadataAndWeight(NamingService a, NamingService b) throws Exception {
        Instance first = instance(80);
        first.setMetadata(Map.of("zone", "a"));
        a.registerInstance("change", GROUP, first);
        Instance changed = instance(80);
        changed.setMetadata(Map.of("zone", "b", "version", "2"));
        changed.setWeight(2.5);
        a.registerInstance("change", GROUP, changed);
        until("metadata and weight changed on the other node",
                () -> b.getAllInstances("change", GROUP, List.of(), false),
                seen -> seen.size() == 1 && seen.get(0).getWeight() == 2.5
                        && seen.get(0).getMetadata().equals(changed.getMetadata()));
    }

    static void batch(NamingService a, NamingService b) throws Exception {
        a.batchRegisterInstance("batch", GROUP, List.of(instance(81), instance(82), instance(83)));
        sees(b, "batch", 81, 82, 83);
        a.batchDeregisterInstance("batch", GROUP, List.of(instance(81)));
        sees(b, "batch", 82, 83);
    }

    static void deregister(NamingService a, NamingService b) throws Exception {
        a.registerInstance("deregister", GROUP, instance(80));
        sees(b, "deregister", 80);
        a.deregisterInstance("deregister", GROUP, instance(80));
        sees(a, "deregister");
        sees(b, "deregister");
    }

    static void selectHealthy(NamingService a, NamingService b) throws Exception {
        Instance ill = instance(83);
        ill.setHealthy(false);
        a.batchRegisterInstance("healthy", GROUP, List.of(instance(81), instance(82), ill));
        sees(b, "healthy", 81, 82, 83);
        check(ports(b.selectInstances("healthy", GROUP, List.of(), true, false)).equals(List.of(81, 82)), "healthy");
        check(ports(b.selectInstances("healthy", GROUP, List.of(), false, false)).equals(List.of(83)), "unhealthy");
        check(b.selectOneHealthyInstance("healthy", GROUP, List.of(), false).getPort() != 83, "one healthy");
    }

    static void subscribe(NamingService a, NamingService b) throws Exception {
        Watcher watcher = new Watcher();
        b.subscribe("watched", GROUP, watcher);
        a.registerInstance("watched", GROUP, instance(80));
        watcher.until("added", hosts -> hosts.keySet().equals(Set.of("10.1.0.1:80")));
        Instance changed = instance(80);
        changed.setMetadata(Map.of("v", "2"));
        changed.setWeight(3);
        a.registerInstance("watched", GROUP, changed);
        watcher.until("changed", hosts -> hosts.size() == 1 && hosts.values().stream().allMatch(
                one -> one.getWeight() == 3 && one.getMetadata().equals(changed.getMetadata())));
        a.deregisterInstance("watched", GROUP, instance(80));
        watcher.until("removed", Map::isEmpty);
        b.unsubscribe("watched", GROUP, watcher);
    }

    static void groups(NamingService a, NamingService b) throws Exception {
        a.registerInstance("grouped", "g1", instance(81));
        a.registerInstance("grouped", "g2", instance(82));
        sees(b, "grouped", "g1", List.of(), 81);
        sees(b, "grouped", "g2", List.of(), 82);
        sees(b, "grouped");
    }

    static void namespaces(NamingService a, NamingService b) throws Exception {
        NamingService there = client("SUITE_A", "other");
        NamingService also = client("SUITE_B", "other");
        there.registerInstance("spaced", GROUP, instance(81));
        a.registerInstance("spaced", GROUP, instance(82));
        sees(also, "spaced", 81);
        sees(b, "spaced", 82);
        there.shutDown();
        sees(also, "spaced");
        also.shutDown();
    }

    static void clusters(NamingService a, NamingService b) throws Exception {
        a.batchRegisterInstance("clustered", GROUP, List.of(inCluster(81, "east"), inCluster(82, "west")));
        sees(b, "clustered", 81, 82);
        sees(b, "clustered", GROUP, List.of("east"), 81);
        sees(b, "clustered", GROUP, List.of("west"), 82);
        sees(b, "clustered", GROUP, List.of("east", "west"), 81, 82);
    }

    static void paging(NamingService a, NamingService b) throws Exception {
        Set<String> names = new TreeSet<>();
        for (int number = 0; number < 7; number++) {
            names.add("page-" + number);
            Instance instance = instance(80);
            instance.setMetadata(Map.of("zone", number < 2 ? "a" : "b"));
            a.registerInstance("page-" + number, "paged", instance);
        }
        until("seven services", () -> b.getServicesOfServer(1, 3, "paged").getCount(), count -> count == 7);
        Set<String> all = new TreeSet<>();
        List<Integer> sizes = new ArrayList<>();
        for (int number = 1; number <= 4; number++) {
            ListView<String> page = b.getServicesOfServer(number, 3, "paged");
            sizes.add(page.getData().size());
            all.addAll(page.getData());
        }
        check(sizes.equals(List.of(3, 3, 1, 0)) && all.equals(names), "pages of " + sizes + " with " + all);
        ExpressionSelector inZoneA = new ExpressionSelector();
        inZoneA.setExpression("INSTANCE.metadata.zone = 'a'");
        ListView<String> selected = b.getServicesOfServer(1, 1, "paged", inZoneA);
        check(selected.getCount() == 2 && selected.getData().equals(List.of("page-0")), "selected " + selected);
    }

    static void wrongInput(NamingService a, NamingService b) throws Exception {
        refused("a name with a blank", () -> a.registerInstance("a b", GROUP, instance(80)));
        refused("a port over 65535", () -> a.registerInstance("wrong", GROUP, instance(65536)));
        refused("a cluster with a dot", () -> a.registerInstance("wrong", GROUP, inCluster(80, "a.b")));
        refused("a group with a blank", () -> a.registerInstance("wrong", "a b", instance(80)));
        check(a.getServerStatus().equals("UP"), "a refusal cost the connection");
        a.registerInstance("right", GROUP, instance(80));
        sees(b, "right", 80);
        sees(b, "wrong");
    }

    static void persistentRefused(NamingService a, NamingService b) throws Exception {
        Instance lasting = instance(80);
        lasting.setEphemeral(false);
        refused("a persistent instance", () -> a.registerInstance("lasting", GROUP, lasting));
        check(a.getServerStatus().equals("UP"), "a refusal cost the connection");
    }

    static void configRefused(NamingService a, NamingService b) throws Exception {
        ConfigService config = NacosFactory.createConfigService(properties(System.getenv("SUITE_A"), ""));
        // Publishing answers false and logs why, it does not throw.
        try {
            check(!config.publishConfig("d", GROUP, "c"), "publishing a configuration was accepted");
        } catch (NacosException error) {
            check(error.toString().length() > 0, "an error without a text");
        }
        // Reading logs why and answers what it has on disk: nothing.
        try {
            String content = config.getConfig("d", GROUP, 3000);
            check(content == null, "read a configuration: " + content);
        } catch (NacosException error) {
            check(error.toString().length() > 0, "an error without a text");
        }
        config.shutDown();
    }

    /** Watching names by a pattern exists from 3.0 on, in a class of its own. */
    static boolean fuzzyWatch(NamingService a, NamingService b) throws Exception {
        Case test;
        try {
            test = (Case) Class.forName("FuzzyWatch").getDeclaredConstructor().newInstance();
        } catch (ClassNotFoundException error) {
            return false;
        }
        test.run(a, b);
        return true;
    }

    // ---- roles

    static void mainRole() throws Exception {
        say("sdk", "nacos-client (Java)", "version", version());
        NamingService a = client("SUITE_A", "");
        NamingService b = client("SUITE_B", "");
        Map<String, Case> cases = new LinkedHashMap<>();
        cases.put("register", Suite::register);
        cases.put("metadata-and-weight", Suite::metadataAndWeight);
        cases.put("batch", Suite::batch);
        cases.put("deregister", Suite::deregister);
        cases.put("select-healthy", Suite::selectHealthy);
        cases.put("subscribe", Suite::subscribe);
        cases.put("groups", Suite::groups);
        cases.put("namespaces", Suite::namespaces);
        cases.put("clusters", Suite::clusters);
        cases.put("paging", Suite::paging);
        cases.put("wrong-input", Suite::wrongInput);
        cases.put("persistent-refused", Suite::persistentRefused);
        cases.put("config-refused", Suite::configRefused);
        String only = System.getenv("SUITE_CASES");
        for (Map.Entry<String, Case> one : cases.entrySet()) {
            if (only == null || Arrays.asList(only.split(" ")).contains(one.getKey())) {
                run(one.getKey(), () -> one.getValue().run(a, b));
            }
        }
        if (only == null || only.contains("fuzzy-watch")) {
            try {
                if (fuzzyWatch(a, b)) {
                    say("case", "fuzzy-watch", "ok", true);
                } else {
                    say("case", "fuzzy-watch", "skip", "exists from 3.0 on");
                }
            } catch (NacosRuntimeException error) {
                // The server said at the connection's setup that it does not offer this.
                boolean isUnoffered = error.getErrCode() == NOT_IMPLEMENTED;
                say("case", "fuzzy-watch", isUnoffered ? "skip" : "why", error, "ok", false);
            } catch (Exception | AssertionError error) {
                say("case", "fuzzy-watch", "ok", false, "why", error);
            }
        }
        say("cases", "done");
        observe(b);
        a.shutDown();
        b.shutDown();
    }

    static void run(String name, Call test) {
        try {
            test.call();
            say("case", name, "ok", true);
        } catch (Exception | AssertionError error) {
            say("case", name, "ok", false, "why", error);
        }
    }

    /** As the name of its archive says. */
    static String version() throws Exception {
        Class<?> naming = Class.forName("com.alibaba.nacos.client.naming.NacosNamingService");
        Path archive = Path.of(naming.getProtectionDomain().getCodeSource().getLocation().toURI());
        return archive.getParent().getFileName().toString();
    }

    static void observe(NamingService b) throws Exception {
        Watcher watcher = new Watcher();
        b.subscribe(HELD, GROUP, watcher);
        say("observing", HELD);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            String[] words = line.split(" ");
            try {
                switch (words[0]) {
                    case "present" -> {
                        watcher.until(line, hosts -> hosts.containsKey(words[1]));
                        say("present", words[1]);
                    }
                    case "absent" -> {
                        watcher.until(line, hosts -> !hosts.containsKey(words[1]));
                        say("absent", words[1]);
                    }
                    case "mark" -> {
                        watcher.mark();
                        say("marked", true);
                    }
                    case "removed" -> say("removed", watcher.removed());
                    case "sees" -> {
                        Integer[] wanted = Arrays.stream(words).skip(2).map(Integer::valueOf).toArray(Integer[]::new);
                        sees(b, words[1], wanted);
                        say("sees", words[1]);
                    }
                    case "end" -> {
                        return;
                    }
                    default -> throw new IllegalArgumentException("no such question: " + line);
                }
            } catch (Exception | AssertionError error) {
                say(words[0], false, "error", error);
            }
        }
    }

    static void holdRole() throws Exception {
        NamingService who = client("SUITE_ALL", "");
        who.registerInstance(HELD, GROUP, instance(HELD_PORT));
        say("holding", "10.1.0.1:" + HELD_PORT);
        BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
        for (String line = lines.readLine(); line != null && !line.equals("end"); line = lines.readLine()) {
            continue;
        }
        who.shutDown();
    }
}
