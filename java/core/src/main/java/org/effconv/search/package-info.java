/**
 * The weights of a search: predicted kernels under masks of soft sizes. What moves the sizes tells the kinds apart, one
 * class each; when their gradients are read is a {@code StepTiming}. The networks are in {@code org.effconv.predict},
 * the rules that move sizes in {@code org.effconv.search.sizes}, what a card that reads late needs in
 * {@code org.effconv.search.late}.
 */
package org.effconv.search;
