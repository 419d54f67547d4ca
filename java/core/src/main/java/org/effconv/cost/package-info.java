/**
 * What a budget is and what it counts: parameters, multiply-adds, or time by a table. A {@link org.effconv.cost.Cost}
 * has a fixed part and one per sized layer that does not fall with its size; whatever is added must keep to that.
 * {@link org.effconv.cost.Budget} is what a user asks for; the package {@code choice} finds odd sizes that meet it.
 */
package org.effconv.cost;
