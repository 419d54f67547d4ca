package org.effconv.bench;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.effconv.backend.Backend;
import org.effconv.benchmark.Clock;
import org.effconv.tensor.Tensor;

/** Where a step's time goes: a backend that times every operation of another one, by name and shapes. */
final class OperationTimes {
    private final Map<String, long[]> times = new LinkedHashMap<>(); // {calls, nanoseconds}

    private final Clock clock;

    OperationTimes(Clock clock) {
        this.clock = clock;
    }

    Backend around(Backend backend) {
        return (Backend) Proxy.newProxyInstance(
                OperationTimes.class.getClassLoader(), new Class<?>[] {Backend.class}, (proxy, method, arguments) -> {
                    boolean whole = method.getName().equals("step"); // its operations are timed each by itself
                    long start = clock.nanoseconds();
                    try {
                        return method.invoke(backend, arguments);
                    } catch (InvocationTargetException e) {
                        throw e.getCause();
                    } finally {
                        if (!whole) {
                            long[] entry =
                                    times.computeIfAbsent(method.getName() + shapes(arguments), k -> new long[2]);
                            entry[0]++;
                            entry[1] += clock.nanoseconds() - start;
                        }
                    }
                });
    }

    private static String shapes(Object[] arguments) {
        StringBuilder s = new StringBuilder();
        for (int i = 0, shown = 0; arguments != null && i < arguments.length && shown < 3; i++) {
            if (arguments[i] instanceof Tensor t && t.shape().rank() > 1) {
                s.append(' ').append(t.shape().toString().replace(" ", ""));
                shown++;
            }
        }
        return s.toString();
    }

    void clear() {
        times.clear();
    }

    /**
     * Lines of share, milliseconds per step, calls per step, operation; the costliest first, then their sum and the
     * rest.
     */
    String table(int steps, double secondsPerStep) {
        StringBuilder s = new StringBuilder();
        double known = 0;
        for (long[] t : times.values()) {
            known += t[1] * 1e-9 / steps;
        }
        times.entrySet().stream()
                .sorted(Comparator.comparingLong((Map.Entry<String, long[]> e) -> e.getValue()[1])
                        .reversed())
                .limit(25)
                .forEach(e -> s.append(String.format(
                        Locale.ROOT,
                        "%5.1f %%  %8.3f ms  %5.1f calls  %s%n",
                        e.getValue()[1] * 1e-7 / steps / secondsPerStep,
                        e.getValue()[1] * 1e-6 / steps,
                        (double) e.getValue()[0] / steps,
                        e.getKey())));
        s.append(String.format(Locale.ROOT, "operations %.3f ms, step %.3f ms%n", known * 1e3, secondsPerStep * 1e3));
        return s.toString();
    }
}
