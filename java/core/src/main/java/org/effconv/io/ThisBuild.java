package org.effconv.io;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** Which build of this library runs. */
public final class ThisBuild {
    private static final String RESOURCE = "/org/effconv/version.properties";

    private ThisBuild() {}

    /** Version of this library. */
    public static String version() {
        try (InputStream in = ThisBuild.class.getResourceAsStream(RESOURCE)) {
            Properties properties = new Properties();
            properties.load(in);
            return properties.getProperty("version");
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read the library's version", e);
        }
    }

    /**
     * The commit this was built from, with "-dirty" behind it if the sources differed from it; "unknown" where nobody
     * said (-Deffconv.commit; the launcher does).
     */
    public static String commit() {
        return System.getProperty("effconv.commit", "unknown");
    }
}
