package org.effconv.cli;

import java.awt.Color;
import java.nio.file.Path;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.ToDoubleFunction;
import org.effconv.io.AtomicFile;
import org.effconv.sweep.Comparison;
import org.effconv.sweep.Match;
import org.effconv.sweep.Method;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Accuracy against what it took: a point per method and budget, with bars of one sample standard deviation over the
 * seeds.
 */
final class ComparisonChart {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 600;
    private static final int MARKER = 9;
    private static final double APART =
            0.012; // of the axis, between methods of one budget, whose points would cover each other
    // Okabe and Ito's colours, and Tol's: told apart with any colour vision. One for each method, in their order.
    private static final int[] COLOURS = {
        0xD55E00, 0x000000, 0x0072B2, 0x56B4E9, 0x009E73, 0xCC79A7, 0xE69F00, 0x882255, 0x999933, 0x8C8C8C, 0x661100
    };
    private static final Marker[] MARKERS = {
        SeriesMarkers.DIAMOND,
        SeriesMarkers.SQUARE,
        SeriesMarkers.CIRCLE,
        SeriesMarkers.CROSS,
        SeriesMarkers.TRIANGLE_UP,
        SeriesMarkers.TRIANGLE_DOWN,
        SeriesMarkers.OVAL,
        SeriesMarkers.TRAPEZOID,
        SeriesMarkers.DIAMOND,
        SeriesMarkers.RECTANGLE,
        SeriesMarkers.PLUS
    };

    /** What accuracy is drawn against. */
    enum Axis {
        PARAMETERS(
                "accuracy",
                "parameters (methods of one budget are set apart to the right of one another)",
                "#,###",
                APART,
                e -> e.parameters().mean()),
        WORK(
                "work",
                "work of search and training, in epochs of training the mix nearest to uniform",
                "#,##0.0",
                0,
                e -> e.spent().uniformEpochs());

        private final String file; // what its names begin with
        private final String title;
        private final String form; // of its numbers
        private final double apart;
        private final ToDoubleFunction<Comparison.Entry> value; // NaN: not known

        Axis(String file, String title, String form, double apart, ToDoubleFunction<Comparison.Entry> value) {
            this.file = file;
            this.title = title;
            this.form = form;
            this.apart = apart;
            this.value = value;
        }
    }

    private final XYChart chart;
    private final String name;

    private ComparisonChart(XYChart chart, String name) {
        this.chart = chart;
        this.name = name;
    }

    /** The groups of one task, which differ by their budgets; empty where no row says what the axis counts. */
    static Optional<ComparisonChart> of(Comparison comparison, Comparison.Task task, Axis axis) {
        List<Comparison.Entry> all = comparison.groups().stream()
                .filter(g -> g.task().equals(task))
                .flatMap(g -> g.entries().stream())
                .filter(e -> !Double.isNaN(axis.value.applyAsDouble(e)))
                .toList();
        if (all.isEmpty()) {
            return Optional.empty();
        }
        XYChart chart = empty(task, axis);
        DoubleSummaryStatistics values = all.stream().mapToDouble(axis.value).summaryStatistics();
        double span = Math.max(values.getMax() - values.getMin(), 0.1 * values.getMax());
        for (Method method :
                all.stream().map(Comparison.Entry::method).distinct().sorted().toList()) {
            add(
                    chart,
                    method,
                    all.stream().filter(e -> e.method() == method).toList(),
                    axis,
                    axis.apart * span * method.ordinal());
        }
        String of = axis.file + "-" + task.architecture() + "-" + task.data() + "-" + task.images()
                + (task.match() == Match.WORK ? "-equal-work" : "");
        return Optional.of(new ComparisonChart(chart, of.replaceAll("[^A-Za-z0-9.]+", "-")));
    }

    private static XYChart empty(Comparison.Task task, Axis axis) {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(task.architecture() + " on " + task.data() + ", "
                        + String.format(Locale.ROOT, "%,d", task.images()) + " training images, "
                        + task.match().title())
                .xAxisTitle(axis.title)
                .yAxisTitle("test accuracy after the last epoch, %")
                .build();
        chart.getStyler().setLocale(Locale.ROOT);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setMarkerSize(MARKER);
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setXAxisDecimalPattern(axis.form);
        chart.getStyler().setYAxisDecimalPattern("#0.0");
        chart.getStyler().setErrorBarsColorSeriesColor(true);
        return chart;
    }

    private static void add(XYChart chart, Method method, List<Comparison.Entry> entries, Axis axis, double shift) {
        Color colour = new Color(COLOURS[method.ordinal()]);
        XYSeries series = chart.addSeries(
                method.text(),
                entries.stream()
                        .mapToDouble(e -> axis.value.applyAsDouble(e) + shift)
                        .toArray(),
                entries.stream().mapToDouble(e -> 100 * e.accuracy().mean()).toArray(),
                entries.stream()
                        .mapToDouble(e -> Double.isNaN(e.accuracy().deviation())
                                ? 0
                                : 100 * e.accuracy().deviation())
                        .toArray());
        series.setMarker(MARKERS[method.ordinal()]);
        series.setMarkerColor(colour);
        series.setLineColor(colour); // of the error bars; points are not joined
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
    }

    /** Writes it as PNG and SVG; returns the former. */
    Path write(Path folder) {
        Path png = folder.resolve(name + ".png");
        AtomicFile.write(png, out -> BitmapEncoder.saveBitmap(chart, out, BitmapEncoder.BitmapFormat.PNG));
        AtomicFile.write(
                folder.resolve(name + ".svg"),
                out -> VectorGraphicsEncoder.saveVectorGraphic(
                        chart, out, VectorGraphicsEncoder.VectorGraphicsFormat.SVG));
        return png;
    }
}
