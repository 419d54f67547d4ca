/**
 * Datasets in memory: readers of files, generated images, batches, and the draws of augmentation. It knows no tensor
 * and no device, and refuses a damaged file whole; docs/reference/data.md has the rules that its readers keep. Begin
 * with {@link org.effconv.data.Datasets}, which opens what a user names, and go on to {@code DataLoader} and the
 * package {@code train}.
 */
package org.effconv.data;
