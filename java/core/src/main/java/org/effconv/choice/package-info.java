/**
 * From soft sizes to odd ones, and from several choices of them to one. Everything here is arithmetic on sizes, costs
 * and losses: no tensor, no tape, no device, and whoever trains a candidate hands its losses in. Begin with
 * {@link org.effconv.choice.SizeRounding} and {@link org.effconv.choice.SizeRace}; docs/design/method.md has the rules.
 */
package org.effconv.choice;
