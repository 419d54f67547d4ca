/**
 * The networks of a search: the recurrent size predictor, and kernel predictors (a coordinate network, an elastic
 * table). They are written in operations of the tape; their arithmetic on the device is in cuda/include/effconv. Begin
 * with {@link org.effconv.predict.SizePredictor} and {@link org.effconv.predict.KernelPredictor}.
 */
package org.effconv.predict;
