/**
 * Architectures and the networks made of them. {@link org.effconv.nn.Architecture} is what a JSON file says,
 * {@link org.effconv.nn.NetworkPlan} is one bound to an input, {@link org.effconv.nn.Network} runs it. A layer type is
 * one file of {@code org.effconv.nn.layer}; a built-in architecture is one JSON file among the resources.
 */
package org.effconv.nn;
