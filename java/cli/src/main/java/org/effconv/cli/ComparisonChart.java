package org.effconv.cli;

import java.awt.Color;
import java.nio.file.Path;
import java.util.List;
import org.effconv.io.AtomicFile;
import org.effconv.sweep.Comparison;
import org.effconv.sweep.Method;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.lines.SeriesLines;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Accuracy against parameters: a point per method and budget, with bars of one sample standard deviation over the seeds. */
final class ComparisonChart {
    private static final int WIDTH = 900;
    private static final int HEIGHT = 600;
    private static final int MARKER = 9;
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
                .title(task.architecture() + " on " + task.data() + ", " + String.format("%,d", task.images()) + " training images")
                .xAxisTitle("parameters").yAxisTitle("test accuracy after the last epoch, %")
                .build();
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setMarkerSize(MARKER);
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        chart.getStyler().setXAxisDecimalPattern("#,###");
        chart.getStyler().setYAxisDecimalPattern("#0.0");
        chart.getStyler().setErrorBarsColorSeriesColor(true);
        for (Method method : Method.all()) {
            add(chart, method, comparison.groups().stream().filter(g -> g.task().equals(task)).flatMap(g -> g.entries().stream())
                    .filter(e -> e.method() == method).toList());
        }
        return new ComparisonChart(chart);
    }

    private static void add(XYChart chart, Method method, List<Comparison.Entry> entries) {
        if (entries.isEmpty()) {
            return;
        }
        XYSeries series = chart.addSeries(method.text(),
                entries.stream().mapToDouble(e -> e.parameters().mean()).toArray(),
                entries.stream().mapToDouble(e -> 100 * e.accuracy().mean()).toArray(),
                entries.stream().mapToDouble(e -> Double.isNaN(e.accuracy().deviation()) ? 0 : 100 * e.accuracy().deviation()).toArray());
        series.setMarker(MARKERS[method.ordinal()]);
        series.setMarkerColor(new Color(COLOURS[method.ordinal()]));
        series.setLineStyle(SeriesLines.NONE);
    }

    /** Writes {@code base}.png and {@code base}.svg. */
    void write(Path folder, String base) {
        AtomicFile.write(folder.resolve(base + ".png"), out -> BitmapEncoder.saveBitmap(chart, out, BitmapEncoder.BitmapFormat.PNG));
        AtomicFile.write(folder.resolve(base + ".svg"), out -> VectorGraphicsEncoder.saveVectorGraphic(chart, out, VectorGraphicsEncoder.VectorGraphicsFormat.SVG));
    }
}
