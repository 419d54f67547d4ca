package org.effconv.endtoend;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The pages hold together: links lead somewhere, and the README stays short. */
class DocumentationTest {
    private static final Path HOME = Path.of(System.getProperty("effconv.home"));
    private static final int MOST_README_LINES = 120;
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    private static final Pattern HEADING = Pattern.compile("(?m)^#+ (.+)$");
    private static final Pattern PAGE_IN_SOURCE = Pattern.compile("docs/[a-z0-9/-]+\\.md");

    private static List<Path> pages() throws IOException {
        List<Path> pages = new ArrayList<>(
                List.of(HOME.resolve("README.md"), HOME.resolve("CONTRIBUTING.md"), HOME.resolve("CHANGELOG.md")));
        pages.addAll(files("docs", ".md"));
        return pages;
    }

    private static List<Path> files(String root, String ending) throws IOException {
        try (Stream<Path> all = Files.walk(HOME.resolve(root))) {
            return all.filter(Files::isRegularFile)
                    .filter(p -> p.toString().endsWith(ending))
                    .toList();
        }
    }

    @Test
    void everyRelativeLinkLeadsToAFileAndAHeading() throws IOException {
        List<String> broken = new ArrayList<>();
        for (Path page : pages()) {
            for (String link : LINK.matcher(Files.readString(page))
                    .results()
                    .map(m -> m.group(1))
                    .toList()) {
                if (!link.matches("[a-z]+:.*") && !leadsSomewhere(page, link)) {
                    broken.add(HOME.relativize(page) + ": " + link);
                }
            }
        }
        assertEquals(List.of(), broken);
    }

    private static boolean leadsSomewhere(Path page, String link) throws IOException {
        String[] parts = link.split("#", 2);
        Path target = parts[0].isEmpty() ? page : page.resolveSibling(parts[0]);
        return Files.exists(target) && (parts.length == 1 || anchors(target).contains(parts[1]));
    }

    // As GitHub makes them: small letters, words joined by hyphens, no other signs.
    private static Set<String> anchors(Path page) throws IOException {
        return HEADING.matcher(Files.readString(page))
                .results()
                .map(m -> m.group(1)
                        .strip()
                        .toLowerCase(Locale.ROOT)
                        .replaceAll("[^a-z0-9 _-]", "")
                        .replace(' ', '-'))
                .collect(Collectors.toSet());
    }

    @Test
    void pagesThatSourcesNameExist() throws IOException {
        List<String> missing = new ArrayList<>();
        List<Path> sources = new ArrayList<>(files("java", ".java"));
        sources.addAll(files("cuda", "h"));
        sources.addAll(files("native", "h"));
        for (Path source : sources) {
            PAGE_IN_SOURCE
                    .matcher(Files.readString(source))
                    .results()
                    .filter(m -> !Files.exists(HOME.resolve(m.group())))
                    .forEach(m -> missing.add(HOME.relativize(source) + ": " + m.group()));
        }
        assertEquals(List.of(), missing);
    }

    @Test
    void theReadmeIsShortAndNamesTheBuild() throws IOException {
        List<String> lines = Files.readAllLines(HOME.resolve("README.md"));
        assertTrue(lines.size() <= MOST_README_LINES, lines.size() + " lines");
        String first =
                lines.stream().filter(l -> l.startsWith("    mvn ")).findFirst().orElse("");
        assertTrue(first.startsWith("    mvn verify "), "what .ci/run takes: " + first);
    }

    @Test
    void everyPageIsInTheIndexOfItsPart() throws IOException {
        String index = Files.readString(HOME.resolve("docs/README.md"));
        String results = Files.readString(HOME.resolve("docs/results/README.md"));
        List<String> missing = new ArrayList<>();
        for (Path page : files("docs", ".md")) {
            Path name = HOME.resolve("docs").relativize(page);
            boolean isResult = name.startsWith("results") && name.getNameCount() == 2;
            boolean isOther = !name.startsWith("results");
            String link = "(" + (isResult ? name.getFileName() : name) + ")";
            if ((isResult || isOther) && !name.endsWith("README.md") && !(isResult ? results : index).contains(link)) {
                missing.add(name.toString());
            }
        }
        assertEquals(List.of(), missing);
    }
}
