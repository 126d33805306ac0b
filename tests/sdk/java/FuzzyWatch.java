import com.alibaba.nacos.api.naming.NamingService;
import com.alibaba.nacos.api.naming.listener.AbstractFuzzyWatchEventWatcher;
import com.alibaba.nacos.api.naming.listener.FuzzyWatchChangeEvent;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;
import java.util.function.Predicate;

/** Watching the names of services by a pattern, as clients from 3.0 on can. */
public final class FuzzyWatch implements Suite.Case {
    private final Set<String> names = new TreeSet<>();

    @Override
    public void run(NamingService a, NamingService b) throws Exception {
        a.registerInstance("fuzzy-one", Suite.GROUP, Suite.instance(80));
        Suite.sees(b, "fuzzy-one", 80);
        AbstractFuzzyWatchEventWatcher watcher = new AbstractFuzzyWatchEventWatcher() {
            @Override
            public void onEvent(FuzzyWatchChangeEvent event) {
                change(event);
            }
        };
        var first = b.fuzzyWatchWithServiceKeys("fuzzy-*", Suite.GROUP, watcher);
        Suite.check(first.get(Suite.PATIENCE_MILLIS, TimeUnit.MILLISECONDS).getData().size() == 1, "the first list");
        until(Set.of("fuzzy-one")::equals);
        a.registerInstance("fuzzy-two", Suite.GROUP, Suite.instance(80));
        until(Set.of("fuzzy-one", "fuzzy-two")::equals);
        b.cancelFuzzyWatch("fuzzy-*", Suite.GROUP, watcher);
    }

    private synchronized void change(FuzzyWatchChangeEvent event) {
        if (event.getChangeType().equals("DELETE_SERVICE")) {
            names.remove(event.getServiceName());
        } else {
            names.add(event.getServiceName());
        }
        notifyAll();
    }

    private synchronized void until(Predicate<Set<String>> isSo) throws Exception {
        long end = System.nanoTime() + Suite.PATIENCE_MILLIS * 1_000_000;
        while (!isSo.test(names)) {
            long left = (end - System.nanoTime()) / 1_000_000;
            Suite.check(left > 0, "never watched; last: " + names);
            wait(left);
        }
    }
}
