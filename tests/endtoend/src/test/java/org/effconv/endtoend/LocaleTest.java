package org.effconv.endtoend;

import static com.tngtech.archunit.core.domain.JavaCall.Predicates.target;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.ArchConfiguration;
import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.AccessTarget.CodeUnitCallTarget;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import java.util.Set;
import org.junit.jupiter.api.Test;

/** Output is the same in every language: a text that follows the system's mixes its digits and letters in. */
class LocaleTest {
    private static final Set<String> FORMATS = Set.of("format", "printf", "formatted");
    private static final Set<String> CASES = Set.of("toLowerCase", "toUpperCase");

    private static final DescribedPredicate<CodeUnitCallTarget> FOLLOWS_THE_LANGUAGE =
            DescribedPredicate.describe("a method that takes a locale, called without one", called -> {
                boolean withoutLocale = called.getRawParameterTypes().stream()
                        .noneMatch(type -> type.isEquivalentTo(java.util.Locale.class));
                boolean ofJava = called.getOwner().getPackageName().matches("java\\.(lang|io|util)");
                boolean ofText = called.getOwner().isEquivalentTo(String.class);
                return withoutLocale
                        && (ofJava && FORMATS.contains(called.getName()) || ofText && CASES.contains(called.getName()));
            });

    @Test
    void everyTextIsFormattedWithALocale() {
        ArchConfiguration.get().setResolveMissingDependenciesFromClassPath(false); // names of what is called are enough
        JavaClasses all = new ClassFileImporter()
                .withImportOption(new ImportOption.DoNotIncludeTests())
                .importPackages("org.effconv");
        for (String part : new String[] {
            "org.effconv.Settings",
            "org.effconv.export.PytorchExport",
            "org.effconv.onnx.OnnxExport",
            "org.effconv.cli.Effconv"
        }) {
            assertTrue(all.contain(part), part + " is not looked at");
        }
        assertFalse(all.contain(LocaleTest.class));
        noClasses().should().callCodeUnitWhere(target(FOLLOWS_THE_LANGUAGE)).check(all);
    }
}
