package org.effconv.report;

import java.util.List;

/**
 * A chart whose every coordinate is known, in units of its view box; a template draws it.
 *
 * @param text what it shows, for those who cannot see it
 */
record Chart(
        String id,
        String title,
        String text,
        String xTitle,
        String yTitle,
        List<Tick> xTicks,
        List<Tick> yTicks,
        List<Series> series) {
    static final int WIDTH = 420;
    static final int HEIGHT = 250;
    static final int LEFT = 52;
    static final int RIGHT = WIDTH - 24;
    static final int TOP = 10;
    static final int BOTTOM = HEIGHT - 40;

    /** A number at an axis. */
    record Tick(String at, String label) {}

    /**
     * @param colour in CSS
     * @param dash of the line, in SVG's terms; empty: none
     * @param points of the line, in SVG's terms; empty: none
     */
    record Series(String name, String colour, String dash, String points, List<Mark> marks) {}

    /**
     * A point of its own.
     *
     * @param high end of its error bar; equal to {@code low} without one
     */
    record Mark(String x, String y, String high, String low, String label) {}
}
