/**
 * The steady update for a device that hands values over late, so that no step waits and steps can be recorded. Sizes
 * show three steps later here than where values are read at once; tests hold both to the same arithmetic. Begin with
 * {@link org.effconv.search.late.LateSizes}.
 */
package org.effconv.search.late;
