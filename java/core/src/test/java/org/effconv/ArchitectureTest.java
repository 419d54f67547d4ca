package org.effconv;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Holds the table of packages in docs/design/structure.md. */
class ArchitectureTest {
    private static JavaClasses all;

    @BeforeAll
    static void read() {
        all = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("org.effconv");
    }

    @ParameterizedTest(name = "{0} may use {1}")
    @CsvSource(
            nullValues = "-",
            value = {
                "error, -",
                "tensor, -",
                "backend, tensor error",
                "io, tensor error",
                "data, error",
                "autodiff, backend tensor",
                "nn.model, backend tensor io",
                "nn.layer, nn.model autodiff backend tensor error",
                "nn, autodiff backend tensor io error",
                "cost, nn backend error",
                "choice, cost nn error",
                "predict, cost nn autodiff backend tensor error",
                "search, choice predict cost train nn autodiff backend tensor error",
                "flexconv, predict cost train nn autodiff backend tensor error",
                "train, nn autodiff backend tensor data io error",
                "latency, train cost nn autodiff backend tensor io error",
                "run, latency search choice predict cost train nn autodiff backend tensor data error",
                "benchmark, search predict cost train nn autodiff backend tensor io error",
            })
    void aPackageUsesOnlyWhatTheTableAllows(String name, String allowed) {
        List<String> others = allowed == null ? List.of() : List.of(allowed.split(" "));
        DescribedPredicate<JavaClass> fine = describe("what the table allows", c -> {
            String p = c.getPackageName();
            boolean ours = p.equals("org.effconv") || p.startsWith("org.effconv.");
            return !ours
                    || isIn(p, name)
                    || others.stream().anyMatch(o -> isIn(p, o))
                    || c.getName().startsWith("org.effconv.error.EffconvException");
        });
        classes()
                .that()
                .resideInAPackage("org.effconv." + name + "..")
                .should()
                .onlyDependOnClassesThat(fine)
                .check(all);
    }

    @ParameterizedTest(name = "{0} is for {1} alone")
    @CsvSource({
        "org.bytedeco, bridge cpu cuda",
        "jcuda, cuda",
        "org.effconv.backend.bridge, bridge cpu cuda",
        "org.effconv.backend.cpu, cpu",
        "org.effconv.backend.cuda, cuda"
    })
    void nativeCodeStaysInItsBackend(String what, String backends) {
        DescribedPredicate<JavaClass> fine =
                describe("nothing of " + what, c -> !c.getPackageName().startsWith(what));
        String[] packages = Arrays.stream(backends.split(" "))
                .map(b -> "org.effconv.backend." + b + "..")
                .toArray(String[]::new);
        classes()
                .that()
                .resideOutsideOfPackages(packages)
                .and()
                .resideOutsideOfPackage("org.effconv") // what a user types: settings, devices, what they can do
                .should()
                .onlyDependOnClassesThat(fine)
                .check(all);
    }

    /** Every package is a slice of its own, the root included. */
    @Test
    void packagesAreFreeOfCycles() {
        slices().assignedFrom(new ByPackage()).should().beFreeOfCycles().check(all);
    }

    private static final class ByPackage implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass c) {
            return SliceIdentifier.of(c.getPackageName());
        }

        @Override
        public String getDescription() {
            return "packages";
        }
    }

    /** The API is small, and each type of it stands in an example that a reader finds. */
    @Test
    void theApiIsSmallAndShown() throws IOException {
        List<String> names = all.stream()
                .filter(c -> c.getPackageName().equals("org.effconv"))
                .filter(c -> c.isTopLevelClass() && c.getModifiers().contains(JavaModifier.PUBLIC))
                .map(JavaClass::getSimpleName)
                .sorted()
                .toList();
        assertTrue(names.size() >= 10 && names.size() <= 20, names.toString());
        String program = Files.readString(Path.of("../../docs/how-to/every-job-in-java.md"));
        assertEquals(
                List.of(),
                names.stream()
                        .filter(name -> !program.matches("(?s).*\\b" + name + "\\b.*"))
                        .toList());
    }

    @Test
    void nothingOfTheLibraryUsesSweeps() {
        DescribedPredicate<JavaClass> fine = describe("no sweep", c -> !isIn(c.getPackageName(), "sweep"));
        classes()
                .that()
                .resideOutsideOfPackage("org.effconv.sweep..")
                .and()
                .resideOutsideOfPackage("org.effconv.cli..")
                .should()
                .onlyDependOnClassesThat(fine)
                .check(all);
    }

    private static boolean isIn(String packageName, String part) {
        return packageName.equals("org.effconv." + part) || packageName.startsWith("org.effconv." + part + ".");
    }
}
