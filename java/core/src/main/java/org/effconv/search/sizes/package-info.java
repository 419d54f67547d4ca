/**
 * How soft sizes move: the steady update, draws around them, the budget's penalty, and the step that moves the size
 * predictor after them. All randomness is a function of seed and step. Begin with
 * {@link org.effconv.search.sizes.SizeUpdate}.
 */
package org.effconv.search.sizes;
