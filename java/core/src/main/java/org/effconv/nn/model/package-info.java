/**
 * What others see of a trained network, whoever they are (a file of another format, another library): its tensors and
 * its operations. Layers, plans and networks all speak of a network in these terms.
 */
package org.effconv.nn.model;
