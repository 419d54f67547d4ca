package org.effconv.cli;

import java.awt.Color;
import java.nio.file.Path;
import java.util.DoubleSummaryStatistics;
import java.util.List;
import java.util.Locale;
import org.effconv.io.AtomicFile;
import org.effconv.sweep.Comparison;
import org.effconv.sweep.Method;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Accuracy against parameters: a point per method and budget, with bars of one sample standard deviation over the seeds. */
final class ComparisonChart {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 600;
    private static final int MARKER = 9;
    private static final double APART = 0.012; // of the axis, between methods of one budget, whose points would cover each other
    // Okabe and Ito's colours: told apart with any colour vision. One for each method, in their order.
    private static final int[] COLOURS = {0xD55E00, 0x000000, 0x0072B2, 0x56B4E9, 0x009E73, 0xCC79A7, 0xE69F00, 0x8C8C8C, 0x661100};
    private static final Marker[] MARKERS = {
        SeriesMarkers.DIAMOND, SeriesMarkers.SQUARE, SeriesMarkers.CIRCLE, SeriesMarkers.CROSS, SeriesMarkers.TRIANGLE_UP,
        SeriesMarkers.TRIANGLE_DOWN, SeriesMarkers.OVAL, SeriesMarkers.RECTANGLE, SeriesMarkers.PLUS
    };

    private final XYChart chart;

    private ComparisonChart(XYChart chart) {
        this.chart = chart;
    }

    /** The groups of one task, which differ by their budgets. */
    static ComparisonChart of(Comparison comparison, Comparison.Task task) {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH).height(HEIGHT)
                .title(task.architecture() + " on " + task.data() + ", " + String.format(Locale.ROOT, "%,d", task.images()) + " training images")
                .xAxisTitle("parameters (methods of one budget are set apart to the right of one another)").yAxisTitle("test accuracy after the last epoch, %")
                .build();
        chart.getStyler().setLocale(Locale.ROOT);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setMarkerSize(MARKER);
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setXAxisDecimalPattern("#,###");
        chart.getStyler().setYAxisDecimalPattern("#0.0");
        chart.getStyler().setErrorBarsColorSeriesColor(true);
        List<Comparison.Entry> all = comparison.groups().stream().filter(g -> g.task().equals(task)).flatMap(g -> g.entries().stream()).toList();
        DoubleSummaryStatistics parameters = all.stream().mapToDouble(e -> e.parameters().mean()).summaryStatistics();
        double span = Math.max(parameters.getMax() - parameters.getMin(), 0.1 * parameters.getMax());
        for (Method method : all.stream().map(Comparison.Entry::method).distinct().sorted().toList()) {
            add(chart, method, all.stream().filter(e -> e.method() == method).toList(), APART * span * method.ordinal());
        }
        return new ComparisonChart(chart);
    }

    private static void add(XYChart chart, Method method, List<Comparison.Entry> entries, double shift) {
        Color colour = new Color(COLOURS[method.ordinal()]);
        XYSeries series = chart.addSeries(method.text(),
                entries.stream().mapToDouble(e -> e.parameters().mean() + shift).toArray(),
                entries.stream().mapToDouble(e -> 100 * e.accuracy().mean()).toArray(),
                entries.stream().mapToDouble(e -> Double.isNaN(e.accuracy().deviation()) ? 0 : 100 * e.accuracy().deviation()).toArray());
        series.setMarker(MARKERS[method.ordinal()]);
        series.setMarkerColor(colour);
        series.setLineColor(colour); // of the error bars; points are not joined
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
    }

    /** Writes {@code base}.png and {@code base}.svg. */
    void write(Path folder, String base) {
        AtomicFile.write(folder.resolve(base + ".png"), out -> BitmapEncoder.saveBitmap(chart, out, BitmapEncoder.BitmapFormat.PNG));
        AtomicFile.write(folder.resolve(base + ".svg"), out -> VectorGraphicsEncoder.saveVectorGraphic(chart, out, VectorGraphicsEncoder.VectorGraphicsFormat.SVG));
    }
}
