// The suite of nacos-sdk-go v2: `suite main` runs the cases, `suite hold` keeps an instance.
// What it is told and what it answers: see ../main.rs.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nacos-group/nacos-sdk-go/v2/clients"
	"github.com/nacos-group/nacos-sdk-go/v2/clients/naming_client"
	"github.com/nacos-group/nacos-sdk-go/v2/common/constant"
	"github.com/nacos-group/nacos-sdk-go/v2/model"
	"github.com/nacos-group/nacos-sdk-go/v2/vo"
)

// Longer than anything here may take, even on a busy machine.
const patience = 60 * time.Second

const (
	held     = "held"
	heldPort = 7000
	module   = "github.com/nacos-group/nacos-sdk-go/v2"
)

type naming = naming_client.INamingClient

var output sync.Mutex

func say(line map[string]any) {
	text, err := json.Marshal(line)
	if err != nil {
		panic(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println("@" + string(text))
}

func params(servers, namespace string) (vo.NacosClientParam, error) {
	var list []constant.ServerConfig
	for _, server := range strings.Split(servers, ",") {
		host, text, err := net.SplitHostPort(server)
		if err != nil {
			return vo.NacosClientParam{}, err
		}
		port, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return vo.NacosClientParam{}, err
		}
		list = append(list, *constant.NewServerConfig(host, port))
	}
	dir, err := os.MkdirTemp(os.Getenv("SUITE_DIR"), "go")
	if err != nil {
		return vo.NacosClientParam{}, err
	}
	config := constant.NewClientConfig(
		constant.WithNamespaceId(namespace),
		constant.WithCacheDir(dir),
		constant.WithLogDir(dir),
		constant.WithLogLevel("error"),
		constant.WithNotLoadCacheAtStart(true),
		// Without it the SDK keeps the last instance of a service for ever.
		constant.WithUpdateCacheWhenEmpty(true),
	)
	return vo.NacosClientParam{ClientConfig: config, ServerConfigs: list}, nil
}

func client(where, namespace string) (naming, error) {
	param, err := params(os.Getenv(where), namespace)
	if err != nil {
		return nil, err
	}
	return clients.NewNamingClient(param)
}

func instance(service string, port uint64) vo.RegisterInstanceParam {
	return vo.RegisterInstanceParam{
		Ip: "10.1.0.1", Port: port, Weight: 1, Enable: true, Healthy: true, Ephemeral: true, ServiceName: service,
	}
}

func update(param vo.RegisterInstanceParam) vo.UpdateInstanceParam {
	return vo.UpdateInstanceParam(param)
}

func register(who naming, params ...vo.RegisterInstanceParam) error {
	for _, param := range params {
		if done, err := who.RegisterInstance(param); err != nil || !done {
			return fmt.Errorf("register %s: %v %w", param.ServiceName, done, err)
		}
	}
	return nil
}

func batchRegister(who naming, service string, instances ...vo.RegisterInstanceParam) error {
	done, err := who.BatchRegisterInstance(vo.BatchRegisterInstanceParam{ServiceName: service, Instances: instances})
	if err != nil || !done {
		return fmt.Errorf("batch register %s: %v %w", service, done, err)
	}
	return nil
}

func deregister(who naming, service string, port uint64) error {
	done, err := who.DeregisterInstance(
		vo.DeregisterInstanceParam{Ip: "10.1.0.1", Port: port, ServiceName: service, Ephemeral: true})
	if err != nil || !done {
		return fmt.Errorf("deregister %s: %v %w", service, done, err)
	}
	return nil
}

func ports(instances []model.Instance) []uint64 {
	seen := []uint64{}
	for _, one := range instances {
		seen = append(seen, one.Port)
	}
	slices.Sort(seen)
	return seen
}

// This SDK has no read that goes around its cache: the first one subscribes, pushes keep it true.
func every(who naming, service, group string, clusters []string) ([]model.Instance, error) {
	return who.SelectAllInstances(
		vo.SelectAllInstancesParam{ServiceName: service, GroupName: group, Clusters: clusters})
}

func until[T any](what string, ask func() (T, error), isSo func(T) bool) error {
	end := time.Now().Add(patience)
	last := "nothing"
	for time.Now().Before(end) {
		seen, err := ask()
		if err == nil && isSo(seen) {
			return nil
		}
		last = fmt.Sprintf("%v %v", seen, err)
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("never: %s; last seen: %s", what, last)
}

func sees(who naming, service, group string, clusters []string, wanted ...uint64) error {
	return until(fmt.Sprintf("%s has ports %v", service, wanted),
		func() ([]uint64, error) {
			seen, err := every(who, service, group, clusters)
			// The SDK calls an empty list an error.
			if err != nil && strings.Contains(err.Error(), "instance list is empty") {
				return []uint64{}, nil
			}
			return ports(seen), err
		},
		func(seen []uint64) bool { return slices.Equal(seen, wanted) })
}

// What the case that runs has to tell beside its result.
var notes []string

func refused(what string, call func() (bool, error)) error {
	done, err := call()
	switch {
	case err == nil && done:
		return fmt.Errorf("%s was accepted", what)
	case err == nil:
		// The SDK drops the node's error: it looks only whether the answer says success.
		notes = append(notes, what)
	case err.Error() == "":
		return fmt.Errorf("%s: an error without a text", what)
	}
	return nil
}

func refusedRegister(who naming, what string, param vo.RegisterInstanceParam) error {
	return refused(what, func() (bool, error) { return who.RegisterInstance(param) })
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// The latest list of a service as the SDK pushes it, and which instances left it.
type watcher struct {
	mutex   sync.Mutex
	hosts   map[string]model.Instance
	removed map[string]bool
	changed chan struct{}
}

func watch(who naming, service string) (*watcher, *vo.SubscribeParam, error) {
	w := &watcher{removed: map[string]bool{}, changed: make(chan struct{})}
	param := &vo.SubscribeParam{ServiceName: service, SubscribeCallback: w.onChange}
	return w, param, who.Subscribe(param)
}

func (w *watcher) onChange(instances []model.Instance, err error) {
	// The SDK tells an empty list as an error.
	if err != nil && len(instances) > 0 {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	now := map[string]model.Instance{}
	for _, one := range instances {
		now[fmt.Sprintf("%s:%d", one.Ip, one.Port)] = one
	}
	for key := range w.hosts {
		if _, stays := now[key]; !stays {
			w.removed[key] = true
		}
	}
	w.hosts = now
	close(w.changed)
	w.changed = make(chan struct{})
}

func (w *watcher) until(what string, isSo func(map[string]model.Instance) bool) error {
	end := time.After(patience)
	for {
		w.mutex.Lock()
		good, changed, last := w.hosts != nil && isSo(w.hosts), w.changed, w.hosts
		w.mutex.Unlock()
		if good {
			return nil
		}
		select {
		case <-changed:
		case <-end:
			return fmt.Errorf("never pushed: %s; last: %v", what, last)
		}
	}
}

func caseRegister(a, b naming) error {
	return first(
		register(a, instance("register", 80)),
		sees(a, "register", "", nil, 80),
		sees(b, "register", "", nil, 80))
}

func caseChange(a, b naming) error {
	before := instance("change", 80)
	before.Metadata = map[string]string{"zone": "a"}
	if err := register(a, before); err != nil {
		return err
	}
	after := instance("change", 80)
	after.Metadata, after.Weight = map[string]string{"zone": "b", "version": "2"}, 2.5
	if done, err := a.UpdateInstance(update(after)); err != nil || !done {
		return fmt.Errorf("update: %v %w", done, err)
	}
	return until("metadata and weight changed on the other node",
		func() ([]model.Instance, error) { return every(b, "change", "", nil) },
		func(seen []model.Instance) bool {
			return len(seen) == 1 && seen[0].Weight == 2.5 && seen[0].Metadata["zone"] == "b" &&
				seen[0].Metadata["version"] == "2"
		})
}

func caseBatch(a, b naming) error {
	one, two, three := instance("batch", 81), instance("batch", 82), instance("batch", 83)
	return first(
		batchRegister(a, "batch", one, two, three),
		sees(b, "batch", "", nil, 81, 82, 83),
		// Without a batch deregister of its own: the remaining ones are registered.
		batchRegister(a, "batch", two, three),
		sees(b, "batch", "", nil, 82, 83))
}

func caseDeregister(a, b naming) error {
	return first(
		register(a, instance("deregister", 80)),
		sees(b, "deregister", "", nil, 80),
		deregister(a, "deregister", 80),
		sees(a, "deregister", "", nil),
		sees(b, "deregister", "", nil))
}

func caseHealthy(a, b naming) error {
	ill := instance("healthy", 83)
	ill.Healthy = false
	err := first(
		batchRegister(a, "healthy", instance("healthy", 81), instance("healthy", 82), ill),
		sees(b, "healthy", "", nil, 81, 82, 83))
	if err != nil {
		return err
	}
	for healthy, wanted := range map[bool][]uint64{true: {81, 82}, false: {83}} {
		seen, err := b.SelectInstances(vo.SelectInstancesParam{ServiceName: "healthy", HealthyOnly: healthy})
		if err != nil || !slices.Equal(ports(seen), wanted) {
			return fmt.Errorf("healthy %v: %v %w", healthy, ports(seen), err)
		}
	}
	one, err := b.SelectOneHealthyInstance(vo.SelectOneHealthInstanceParam{ServiceName: "healthy"})
	if err != nil || one.Port == 83 {
		return fmt.Errorf("one healthy: %v %w", one, err)
	}
	return nil
}

func caseSubscribe(a, b naming) error {
	w, param, err := watch(b, "watched")
	if err != nil {
		return err
	}
	changed := instance("watched", 80)
	changed.Metadata, changed.Weight = map[string]string{"v": "2"}, 3
	return first(
		register(a, instance("watched", 80)),
		w.until("added", func(hosts map[string]model.Instance) bool { return len(hosts) == 1 }),
		register(a, changed),
		w.until("changed", func(hosts map[string]model.Instance) bool {
			one := hosts["10.1.0.1:80"]
			return len(hosts) == 1 && one.Weight == 3 && one.Metadata["v"] == "2"
		}),
		deregister(a, "watched", 80),
		w.until("removed", func(hosts map[string]model.Instance) bool { return len(hosts) == 0 }),
		b.Unsubscribe(param))
}

func caseGroups(a, b naming) error {
	one, two := instance("grouped", 81), instance("grouped", 82)
	one.GroupName, two.GroupName = "g1", "g2"
	return first(
		register(a, one, two),
		sees(b, "grouped", "g1", nil, 81),
		sees(b, "grouped", "g2", nil, 82),
		sees(b, "grouped", "", nil))
}

func caseNamespaces(a, b naming) error {
	there, err := client("SUITE_A", "other")
	if err != nil {
		return err
	}
	also, err := client("SUITE_B", "other")
	if err != nil {
		return err
	}
	err = first(
		register(there, instance("spaced", 81)),
		register(a, instance("spaced", 82)),
		sees(also, "spaced", "", nil, 81),
		sees(b, "spaced", "", nil, 82))
	there.CloseClient()
	if err == nil {
		err = sees(also, "spaced", "", nil)
	}
	also.CloseClient()
	return err
}

func caseClusters(a, b naming) error {
	east, west := instance("clustered", 81), instance("clustered", 82)
	east.ClusterName, west.ClusterName = "east", "west"
	return first(
		batchRegister(a, "clustered", east, west),
		sees(b, "clustered", "", nil, 81, 82),
		sees(b, "clustered", "", []string{"east"}, 81),
		sees(b, "clustered", "", []string{"west"}, 82),
		sees(b, "clustered", "", []string{"east", "west"}, 81, 82))
}

func casePaging(a, b naming) error {
	for number := range 7 {
		param := instance(fmt.Sprintf("page-%d", number), 80)
		param.GroupName = "paged"
		if err := register(a, param); err != nil {
			return err
		}
	}
	page := func(number uint32) (model.ServiceList, error) {
		return b.GetAllServicesInfo(vo.GetAllServiceInfoParam{GroupName: "paged", PageNo: number, PageSize: 3})
	}
	err := until("seven services", func() (model.ServiceList, error) { return page(1) },
		func(list model.ServiceList) bool { return list.Count == 7 })
	if err != nil {
		return err
	}
	sizes, names := []int{}, map[string]bool{}
	for number := range uint32(4) {
		list, err := page(number + 1)
		if err != nil {
			return err
		}
		sizes = append(sizes, len(list.Doms))
		for _, name := range list.Doms {
			names[name] = true
		}
	}
	if !slices.Equal(sizes, []int{3, 3, 1, 0}) || len(names) != 7 {
		return fmt.Errorf("pages of %v with %v", sizes, names)
	}
	return nil
}

func caseWrongInput(a, b naming) error {
	cluster, group := instance("wrong", 80), instance("wrong", 80)
	cluster.ClusterName, group.GroupName = "a.b", "a b"
	err := first(
		refusedRegister(a, "an empty name", instance("", 80)),
		refusedRegister(a, "a name with a blank", instance("a b", 80)),
		refusedRegister(a, "a port over 65535", instance("wrong", 65536)),
		refusedRegister(a, "a cluster with a dot", cluster),
		refusedRegister(a, "a group with a blank", group))
	if err == nil && !a.ServerHealthy() {
		err = errors.New("a refusal cost the connection")
	}
	return first(err,
		register(a, instance("right", 80)),
		sees(b, "right", "", nil, 80),
		sees(b, "wrong", "", nil))
}

func casePersistent(a, _ naming) error {
	lasting := instance("lasting", 80)
	lasting.Ephemeral = false
	return refusedRegister(a, "a persistent instance", lasting)
}

func caseConfig(_, _ naming) error {
	param, err := params(os.Getenv("SUITE_A"), "")
	if err != nil {
		return err
	}
	config, err := clients.NewConfigClient(param)
	if err != nil {
		return err
	}
	defer config.CloseClient()
	which := vo.ConfigParam{DataId: "d", Group: "DEFAULT_GROUP", Content: "c"}
	return first(
		refused("publishing a configuration", func() (bool, error) { return config.PublishConfig(which) }),
		refused("reading a configuration", func() (bool, error) {
			_, err := config.GetConfig(which)
			return err == nil, err
		}))
}

var cases = []struct {
	name string
	run  func(a, b naming) error
}{
	{"register", caseRegister},
	{"metadata-and-weight", caseChange},
	{"batch", caseBatch},
	{"deregister", caseDeregister},
	{"select-healthy", caseHealthy},
	{"subscribe", caseSubscribe},
	{"groups", caseGroups},
	{"namespaces", caseNamespaces},
	{"clusters", caseClusters},
	{"paging", casePaging},
	{"wrong-input", caseWrongInput},
	{"persistent-refused", casePersistent},
	{"config-refused", caseConfig},
}

func answer(words []string, w *watcher, b naming) (map[string]any, error) {
	switch {
	case words[0] == "present" && len(words) == 2:
		err := w.until("present", func(hosts map[string]model.Instance) bool { _, is := hosts[words[1]]; return is })
		return map[string]any{"present": words[1]}, err
	case words[0] == "absent" && len(words) == 2:
		err := w.until("absent", func(hosts map[string]model.Instance) bool { _, is := hosts[words[1]]; return !is })
		return map[string]any{"absent": words[1]}, err
	case words[0] == "mark":
		w.mutex.Lock()
		defer w.mutex.Unlock()
		w.removed = map[string]bool{}
		return map[string]any{"marked": true}, nil
	case words[0] == "removed":
		w.mutex.Lock()
		defer w.mutex.Unlock()
		gone := []string{}
		for key := range w.removed {
			gone = append(gone, key)
		}
		return map[string]any{"removed": gone}, nil
	case words[0] == "sees" && len(words) >= 2:
		var wanted []uint64
		for _, word := range words[2:] {
			port, err := strconv.ParseUint(word, 10, 16)
			if err != nil {
				return nil, err
			}
			wanted = append(wanted, port)
		}
		return map[string]any{"sees": words[1]}, sees(b, words[1], "", nil, wanted...)
	}
	return nil, fmt.Errorf("no such question: %v", words)
}

func observe(b naming, lines *bufio.Scanner) error {
	w, _, err := watch(b, held)
	if err != nil {
		return err
	}
	say(map[string]any{"observing": held})
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		if words[0] == "end" {
			break
		}
		line, err := answer(words, w, b)
		if err != nil {
			line = map[string]any{words[0]: false, "error": err.Error()}
		}
		say(line)
	}
	return nil
}

func version() string {
	info, _ := debug.ReadBuildInfo()
	for _, dependency := range info.Deps {
		if dependency.Path == module {
			return dependency.Version
		}
	}
	return "?"
}

func mainRole(lines *bufio.Scanner) error {
	say(map[string]any{"sdk": "nacos-sdk-go", "version": version()})
	a, err := client("SUITE_A", "")
	if err != nil {
		return err
	}
	b, err := client("SUITE_B", "")
	if err != nil {
		return err
	}
	only := strings.Fields(os.Getenv("SUITE_CASES"))
	for _, one := range cases {
		if len(only) > 0 && !slices.Contains(only, one.name) {
			continue
		}
		notes = nil
		result := map[string]any{"case": one.name, "ok": true}
		if err := one.run(a, b); err != nil {
			result["ok"], result["why"] = false, err.Error()
		} else if len(notes) > 0 {
			result["note"] = "the SDK answers false without a reason to " + strings.Join(notes, ", ")
		}
		say(result)
	}
	say(map[string]any{"cases": "done"})
	return observe(b, lines)
}

func holdRole(lines *bufio.Scanner) error {
	who, err := client("SUITE_ALL", "")
	if err != nil {
		return err
	}
	if err := register(who, instance(held, heldPort)); err != nil {
		return err
	}
	say(map[string]any{"holding": fmt.Sprintf("10.1.0.1:%d", heldPort)})
	for lines.Scan() && lines.Text() != "end" {
	}
	who.CloseClient()
	return nil
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	roles := map[string]func(*bufio.Scanner) error{"main": mainRole, "hold": holdRole}
	role, known := roles[strings.Join(os.Args[1:], " ")]
	if !known {
		fmt.Fprintln(os.Stderr, "no such role: main or hold")
		os.Exit(2)
	}
	if err := role(lines); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
