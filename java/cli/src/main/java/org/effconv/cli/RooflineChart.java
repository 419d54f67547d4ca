package org.effconv.cli;

import java.awt.Color;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import org.effconv.benchmark.BenchmarkReport;
import org.effconv.benchmark.Rates;
import org.effconv.io.AtomicFile;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.VectorGraphicsEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Arithmetic rate against operations per byte, one point a case, under the roofs that copy and matmul set. */
final class RooflineChart {
    private static final int WIDTH = 1000;
    private static final int HEIGHT = 650;
    private static final int MARKER = 8;
    private static final double MARGIN = 2; // a factor left free around the points
    private static final int CURVE = 100; // points of a roof's line
    // Okabe and Ito's colours: told apart with any colour vision
    private static final int[] COLOURS = {0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x000000, 0x8C8C8C
    };
    private static final Marker[] MARKERS = {
        SeriesMarkers.CIRCLE,
        SeriesMarkers.DIAMOND,
        SeriesMarkers.SQUARE,
        SeriesMarkers.TRIANGLE_UP,
        SeriesMarkers.TRIANGLE_DOWN,
        SeriesMarkers.CROSS,
        SeriesMarkers.PLUS,
        SeriesMarkers.OVAL
    };

    private final XYChart chart;

    private RooflineChart(XYChart chart) {
        this.chart = chart;
    }

    /** @param title what was measured where */
    static RooflineChart of(BenchmarkReport report, String title) {
        XYChart chart = new XYChartBuilder()
                .width(WIDTH)
                .height(HEIGHT)
                .title(title)
                .xAxisTitle("operations per byte, every operand moved once")
                .yAxisTitle("TFLOP/s, all taps counted")
                .build();
        chart.getStyler().setLocale(Locale.ROOT);
        chart.getStyler().setXAxisLogarithmic(true);
        chart.getStyler().setYAxisLogarithmic(true);
        chart.getStyler().setLegendPosition(Styler.LegendPosition.OutsideE);
        chart.getStyler().setMarkerSize(MARKER);
        chart.getStyler().setChartBackgroundColor(Color.WHITE);
        double low = report.rows().stream()
                        .mapToDouble(RooflineChart::intensity)
                        .min()
                        .orElse(1)
                / MARGIN;
        double high = report.rows().stream()
                        .mapToDouble(RooflineChart::intensity)
                        .max()
                        .orElse(1)
                * MARGIN;
        Rates rates = report.rates();
        roof(chart, "fp32 roof", rates.bytes(), rates.fp32Flops(), low, high, Color.GRAY);
        if (!Double.isNaN(rates.tensorFlops())) {
            roof(chart, "bf16 roof", rates.bytes(), rates.tensorFlops(), low, high, Color.BLACK);
        }
        Map<String, List<BenchmarkReport.Row>> groups = report.rows().stream()
                .collect(Collectors.groupingBy(RooflineChart::group, TreeMap::new, Collectors.toList()));
        int index = 0;
        for (Map.Entry<String, List<BenchmarkReport.Row>> e : groups.entrySet()) {
            XYSeries series = chart.addSeries(
                    e.getKey(),
                    e.getValue().stream().mapToDouble(RooflineChart::intensity).toArray(),
                    e.getValue().stream().mapToDouble(r -> teraflops(r, rates)).toArray());
            series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
            series.setMarker(MARKERS[index % MARKERS.length]);
            series.setMarkerColor(new Color(COLOURS[index++ % COLOURS.length]));
        }
        return new RooflineChart(chart);
    }

    private static String group(BenchmarkReport.Row row) {
        String what = row.test().family().name().toLowerCase(java.util.Locale.ROOT) + " "
                + row.test().typeName();
        return row.measurement() == null ? what + " (floor)" : row.target() + ": " + what;
    }

    private static double intensity(BenchmarkReport.Row row) {
        return row.test().work().flops() / row.test().work().bytes();
    }

    private static double teraflops(BenchmarkReport.Row row, Rates rates) {
        double seconds = row.measurement() == null
                ? row.test().floor(rates).seconds()
                : row.measurement().median();
        return row.test().work().flops() / seconds * 1e-12;
    }

    private static void roof(
            XYChart chart, String name, double bytes, double flops, double low, double high, Color colour) {
        double[] x = new double[CURVE];
        double[] y = new double[CURVE];
        for (int i = 0; i < CURVE; i++) {
            x[i] = low * Math.pow(high / low, i / (CURVE - 1.0));
            y[i] = Math.min(bytes * x[i], flops) * 1e-12;
        }
        XYSeries series = chart.addSeries(name, x, y);
        series.setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line);
        series.setMarker(SeriesMarkers.NONE);
        series.setLineColor(colour);
    }

    /** Writes {@code base}.png and {@code base}.svg. */
    void write(Path base) {
        String name = base.getFileName().toString();
        AtomicFile.write(
                base.resolveSibling(name + ".png"),
                out -> BitmapEncoder.saveBitmap(chart, out, BitmapEncoder.BitmapFormat.PNG));
        AtomicFile.write(
                base.resolveSibling(name + ".svg"),
                out -> VectorGraphicsEncoder.saveVectorGraphic(
                        chart, out, VectorGraphicsEncoder.VectorGraphicsFormat.SVG));
    }
}
