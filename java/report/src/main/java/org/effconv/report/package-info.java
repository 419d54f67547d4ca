/**
 * Pages that show a run, or compare several: {@link org.effconv.report.RunReport} and
 * {@link org.effconv.report.ComparisonReport}. Java reads and counts, the templates in {@code src/main/jte} lay out and
 * escape. A page is one file: styles, charts (SVG) and pictures (PNG) stand in it, and it runs no script.
 */
package org.effconv.report;
