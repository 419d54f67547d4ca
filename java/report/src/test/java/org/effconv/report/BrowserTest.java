package org.effconv.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.effconv.io.Json;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A run's page as a browser shows it. */
class BrowserTest {
    private static final int PHONE = 375;
    private static final int DESKTOP = 1280;

    @TempDir
    static Path folder;

    private static Browser browser;
    private static Path run;
    private static Path page;

    @BeforeAll
    static void learn() throws IOException {
        browser = Browser.find(folder);
        run = RunFixture.learn(folder);
        page = RunReport.write(run);
    }

    /** What the page says is what summary.json says, as the browser reads it. */
    @Test
    void figuresAreThoseOfTheSummary() throws IOException, InterruptedException {
        String dom = browser.dom(page);
        JsonNode summary = Json.read(run.resolve("summary.json"));
        assertEquals(summary.path("learned").path("testAccuracy").asDouble(), value(dom, "learned-accuracy"));
        assertEquals(summary.path("multiplyAdds").asLong(), (long) value(dom, "multiply-adds"));
        if (summary.has("uniform")) {
            assertEquals(summary.path("uniform").path("testAccuracy").asDouble(), value(dom, "uniform-accuracy"));
            assertEquals(summary.path("pointsAhead").asDouble(), value(dom, "points-ahead"));
        }
        assertEquals(summary.path("layers").size(), count(dom, "class=\"num learned-size\""));
        assertEquals(RunFixture.CLASSES.size(), count(table(dom, "per-class"), "class=\"bars\""));
        int images = summary.path("learned").path("test").path("images").asInt();
        int told = Pattern.compile(">(\\d+)</td>")
                .matcher(table(dom, "confusion"))
                .results()
                .mapToInt(m -> Integer.parseInt(m.group(1)))
                .sum();
        assertEquals(images, told, "every image stands in the confusion matrix once");
    }

    private static double value(String dom, String id) {
        Matcher found = Pattern.compile("id=\"" + id + "\" value=\"([^\"]*)\"").matcher(dom);
        assertTrue(found.find(), id);
        return Double.parseDouble(found.group(1));
    }

    private static int count(String text, String part) {
        return text.split(Pattern.quote(part), -1).length - 1;
    }

    private static String table(String dom, String id) {
        int from = dom.indexOf("id=\"" + id + "\"");
        assertTrue(from >= 0, id);
        return dom.substring(from, dom.indexOf("</table>", from));
    }

    @Test
    void nothingSticksOutOnAPhoneOrADesktop() throws IOException, InterruptedException {
        for (int width : new int[] {PHONE, DESKTOP}) {
            String dom = browser.dom(framed(page, width));
            Matcher told =
                    Pattern.compile("data-told=\"(\\d+) (\\d+) ([^\"]*)\"").matcher(dom);
            assertTrue(told.find(), dom);
            assertEquals(width, Integer.parseInt(told.group(1)), "width of the view");
            assertTrue(Integer.parseInt(told.group(2)) <= width, "scrolls sideways: " + told.group(0));
            assertEquals("", told.group(3), "charts whose labels have no room, and what names brought in");
        }
    }

    // A browser's window has a least width that is more than a phone's, a frame has none. The page has no script of
    // its own: this one stands in a copy.
    private static Path framed(Path page, int width) throws IOException {
        String script =
                """
                <script>addEventListener('load', () => {
                  const outside = (t, s) => t.left < s.left - 1 || t.right > s.right + 1
                      || t.top < s.top - 1 || t.bottom > s.bottom + 1;
                  const box = e => e.getBoundingClientRect();
                  const wrong = [];
                  for (const s of document.querySelectorAll('.chart>svg')) {
                    if (box(s).width < 250) wrong.push('a small chart');
                    s.querySelectorAll('text').forEach(t => outside(box(t), box(s)) && wrong.push(t.textContent));
                  }
                  if (document.scripts.length > 1) wrong.push('a script');
                  if ([...document.images].some(i => !i.src.startsWith('data:'))) wrong.push('an image');
                  const width = document.documentElement.scrollWidth;
                  parent.postMessage(innerWidth + ' ' + width + ' ' + wrong.join(), '*');
                })</script></body>
                """;
        Path inner = page.resolveSibling("inner.html");
        Files.writeString(inner, Files.readString(page).replace("</body>", script));
        Path outer = page.resolveSibling("outer.html");
        Files.writeString(
                outer,
                "<!DOCTYPE html><body style='margin:0'><script>addEventListener('message',m=>document.documentElement"
                        + ".dataset.told=m.data)</script><iframe src='inner.html' style='border:0;width:" + width
                        + "px;height:9000px'></iframe></body>");
        return outer;
    }

    @Test
    void itIsNotEmptyInLightAndDark() throws IOException, InterruptedException {
        int light = background(browser.screenshot(page, DESKTOP, 3000, false));
        int dark = background(browser.screenshot(page, DESKTOP, 3000, true));
        assertTrue(
                brightness(light) > 240 && brightness(dark) < 40,
                Integer.toHexString(light) + " " + Integer.toHexString(dark));
    }

    // Of a picture that shows something.
    private static int background(BufferedImage image) {
        int[] pixels = image.getRGB(0, 0, image.getWidth(), image.getHeight(), null, 0, image.getWidth());
        int back = pixels[0];
        long other = Arrays.stream(pixels).filter(p -> p != back).count();
        assertTrue(other > pixels.length / 25, other + " of " + pixels.length + " pixels are not background");
        assertTrue(Arrays.stream(pixels).distinct().count() > 100, "few colours");
        return back;
    }

    private static int brightness(int rgb) {
        return ((rgb >> 16 & 0xff) + (rgb >> 8 & 0xff) + (rgb & 0xff)) / 3;
    }
}
