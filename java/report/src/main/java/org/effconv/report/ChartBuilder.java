package org.effconv.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/** Lines and points in numbers of their own; knows axes and ticks once all are there. */
final class ChartBuilder {
    private static final int MOST_POINTS = 400; // of a line: more than that many pixels are not seen
    private static final int TICKS = 5;
    private static final int PALETTE = 8; // colours of the style sheet

    private final String id;
    private final String title;
    private final String xTitle;
    private final String yTitle;
    private final List<Raw> all = new ArrayList<>();

    private record Raw(String name, String colour, String dash, double[] x, double[] y, double[] error, boolean line) {}

    ChartBuilder(String id, String title, String xTitle, String yTitle) {
        this.id = id;
        this.title = title;
        this.xTitle = xTitle;
        this.yTitle = yTitle;
    }

    /** A colour for one of some things. */
    static String colour(int index, int of) {
        return of <= PALETTE
                ? "var(--c" + index + ")"
                : Text.format("hsl(%.0f 65%% 50%%)", 230 - 230.0 * index / (of - 1));
    }

    /** Points that are joined; those that are not finite are left out. */
    ChartBuilder line(String name, String colour, boolean dashed, double[] x, double[] y) {
        int[] finite = IntStream.range(0, y.length)
                .filter(i -> Double.isFinite(x[i]) && Double.isFinite(y[i]))
                .toArray();
        if (finite.length == 0) {
            return this;
        }
        int step = (finite.length + MOST_POINTS - 1) / MOST_POINTS;
        int[] kept = IntStream.range(0, finite.length)
                .filter(i -> i % step == 0 || i == finite.length - 1)
                .map(i -> finite[i])
                .toArray();
        all.add(new Raw(name, colour, dashed ? "5 4" : "", at(x, kept), at(y, kept), new double[kept.length], true));
        return this;
    }

    /** @param error half the length of its bar; 0 or NaN: none */
    ChartBuilder point(String name, String colour, double x, double y, double error) {
        if (Double.isFinite(x) && Double.isFinite(y)) {
            double bar = Double.isFinite(error) ? error : 0;
            all.add(new Raw(name, colour, "", new double[] {x}, new double[] {y}, new double[] {bar}, false));
        }
        return this;
    }

    private static double[] at(double[] values, int[] indices) {
        return IntStream.of(indices).mapToDouble(i -> values[i]).toArray();
    }

    boolean isEmpty() {
        return all.isEmpty();
    }

    /** @param text what it shows, for those who cannot see it */
    Chart build(String text) {
        Axis x = new Axis(Chart.LEFT, Chart.RIGHT);
        Axis y = new Axis(Chart.BOTTOM, Chart.TOP);
        for (Raw raw : all) {
            for (int i = 0; i < raw.x.length; i++) {
                x.take(raw.x[i]);
                y.take(raw.y[i] - raw.error[i]);
                y.take(raw.y[i] + raw.error[i]);
            }
        }
        boolean scattered = all.stream().noneMatch(Raw::line);
        x.close(scattered);
        y.close(scattered);
        return new Chart(
                id,
                title,
                text,
                xTitle,
                yTitle,
                x.ticks(),
                y.ticks(),
                all.stream().map(raw -> series(raw, x, y)).toList());
    }

    private static Chart.Series series(Raw raw, Axis x, Axis y) {
        StringBuilder points = new StringBuilder();
        List<Chart.Mark> marks = new ArrayList<>();
        boolean alone = raw.x.length == 1; // a line of one point would not be seen
        for (int i = 0; i < raw.x.length; i++) {
            if (!alone) {
                points.append(i == 0 ? "" : " ")
                        .append(x.at(raw.x[i]))
                        .append(',')
                        .append(y.at(raw.y[i]));
            } else {
                marks.add(new Chart.Mark(
                        x.at(raw.x[i]),
                        y.at(raw.y[i]),
                        y.at(raw.y[i] + raw.error[i]),
                        y.at(raw.y[i] - raw.error[i]),
                        raw.name + ": " + Text.format("%.4g", raw.y[i])));
            }
        }
        return new Chart.Series(raw.name, raw.colour, raw.dash, points.toString(), marks);
    }

    /** From numbers to a side of the view box. */
    private static final class Axis {
        private final double from;
        private final double to;
        private double low = Double.POSITIVE_INFINITY;
        private double high = Double.NEGATIVE_INFINITY;
        private double step;

        Axis(double from, double to) {
            this.from = from;
            this.to = to;
        }

        void take(double value) {
            low = Math.min(low, value);
            high = Math.max(high, value);
        }

        /** @param room whether points at the ends need some */
        void close(boolean room) {
            double span = high - low;
            double pad = room ? 0.12 * span : 0;
            if (span == 0) { // one number: it stands in the middle
                pad = high >= 1 && high <= 100 ? 1 : Math.max(Math.abs(high) * 0.1, 1e-3);
            }
            low = low >= 0 ? Math.max(0, low - pad) : low - pad;
            high += pad;
            double rough = (high - low) / TICKS;
            double power = Math.pow(10, Math.floor(Math.log10(rough)));
            double lead = rough / power;
            step = power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10);
        }

        String at(double value) {
            return Text.format("%.1f", from + (to - from) * (value - low) / (high - low));
        }

        List<Chart.Tick> ticks() {
            List<Chart.Tick> ticks = new ArrayList<>();
            int decimals = (int) Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
            for (long i = (long) Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
                double value = i * step;
                String label = Math.abs(high) >= 1e5
                        ? abbreviated(value)
                        : Text.format("%." + decimals + "f", value == 0 ? 0.0 : value);
                ticks.add(new Chart.Tick(at(value), label));
            }
            return ticks;
        }

        private static String abbreviated(double value) {
            double[] units = {1e12, 1e9, 1e6, 1e3};
            String[] names = {" T", " G", " M", " k"};
            for (int u = 0; u < units.length; u++) {
                if (Math.abs(value) >= units[u]) {
                    return Text.format("%.3g", value / units[u]).replaceAll("\\.0+$|(\\.\\d*?)0+$", "$1") + names[u];
                }
            }
            return Text.format("%.0f", value);
        }
    }
}
