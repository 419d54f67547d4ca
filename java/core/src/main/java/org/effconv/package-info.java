/**
 * The API: devices, settings, jobs and their results; {@link org.effconv.Learning} is the job most people want. A job
 * turns its settings into values once, in {@code Resolution}, checks them, and hands them to {@code org.effconv.run}; a
 * new setting belongs into {@link org.effconv.Settings} and there, and nowhere else. At most twenty public types live
 * here, each with an example in docs/how-to/every-job-in-java.md.
 */
package org.effconv;
