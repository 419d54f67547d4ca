/** Pages that show a run, or compare several. */
module org.effconv.report {
    requires transitive org.effconv.core;
    requires gg.jte.runtime;
    requires java.desktop;

    exports org.effconv.report;
}
