/**
 * The layer types. Each is one file: the fields it has in an architecture's JSON, what it takes of a network (shapes,
 * parameters, multiply-adds), its forward pass, and how it is told to those who rebuild a trained network. To add one,
 * write a {@link org.effconv.nn.layer.Layer} and name it in {@link org.effconv.nn.layer.LayerTypes}.
 *
 * <p>A layer goes through three forms. It is read from JSON as a {@link org.effconv.nn.layer.Layer}, which knows no
 * shapes. Bound to an input by a {@link org.effconv.nn.layer.Planner}, it becomes a {@link org.effconv.nn.layer.Step},
 * which knows them all. In a {@link org.effconv.nn.layer.Pass} the step computes.
 */
package org.effconv.nn.layer;
