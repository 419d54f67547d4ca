/**
 * What a job does: learn sizes in one run ({@link org.effconv.run.OneRun}) or before the training
 * ({@link org.effconv.run.TwoStages}). Everything comes in as values; nothing here knows of settings, files of settings
 * or devices that are claimed. A third way to learn sizes is one more {@link org.effconv.run.SizeLearning}; how
 * candidates are chosen is in {@code org.effconv.choice}, what learns soft sizes in {@code org.effconv.search}.
 */
package org.effconv.run;
