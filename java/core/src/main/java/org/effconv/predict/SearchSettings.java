package org.effconv.predict;

import org.effconv.backend.MaskKind;
import org.effconv.cost.Cost;
import org.effconv.error.EffconvException.InvalidInput;
import org.effconv.nn.SizedLayer;

/**
 * Everything about a search that can be set, with the values that served best as defaults ({@link #standard()}).
 *
 * @param mask how a soft size modulates the rings of a kernel
 * @param kernels where unmasked weights come from
 * @param update how sizes follow the loss
 * @param start size that every layer starts at; 0: one size for all layers that meets the budget, or kmax without one
 * @param frozen first fraction of the search, in which sizes stay at their start and only kernels learn
 * @param closing STEADY, for one budget or none: last fraction of the search, in which sizes no longer move and kernels
 *     learn at odd ones around them, among which the answer is then chosen
 * @param spread of the sizes that each step draws around the predicted ones: standard deviation of log v, before one
 *     common factor brings the cost back. So kernels serve other choices of the same cost, too, and the loss is a
 *     smooth function of the sizes. Without a budget the cost is not brought back, and the deviation is 0.375 of this
 * @param travel STEADY: how far log v may move over the whole search if every step pulled the same way as hard as the
 *     root mean square of the pulls
 * @param horizon STEADY: over which fraction of the steps with moving sizes the pull on them is averaged
 * @param settle last fraction of the steps with moving sizes over which log v is averaged into the answer
 * @param price weight of log P in the loss where there is no budget to meet (AUTO), and of |log(P / P*)| where sizes
 *     follow the plain GRADIENT
 * @param ceiling whether the budget is a ceiling, max(0, log(P / P*)), rather than two-sided
 * @param sizeRate GRADIENT: the size predictor's learning rate as a factor on that of the kernels
 * @param features width h of the coordinate features
 * @param hidden hidden width of the coordinate network
 * @param spareRing whether grids carry the rings whose mask is zero but has a derivative; false only to show what is
 *     lost without them
 */
public record SearchSettings(
        MaskKind mask,
        Kernels kernels,
        Update update,
        double start,
        double frozen,
        double closing,
        double spread,
        double travel,
        double horizon,
        double settle,
        double price,
        boolean ceiling,
        double sizeRate,
        int features,
        int hidden,
        boolean spareRing) {

    /** Kernel predictors. */
    public enum Kernels {
        /** A coordinate network with sine filters, modulated by size and layer. */
        COORDINATE,
        /** A free kmax x kmax table per layer, centre-cropped. */
        ELASTIC
    }

    /** How sizes follow the loss. */
    public enum Update {
        /**
         * On log v: the pull v dL/dv, averaged over many steps, without its part along the budget's normal; the budget
         * is then met by one common factor on all sizes, and the size predictor is moved to the sizes so found.
         */
        STEADY,
        /** The optimiser's own step on the gradient of class loss and budget term through mask and predictor. */
        GRADIENT
    }

    /** @throws InvalidInput if a value is out of range */
    public SearchSettings {
        check("start", start, start == 0 || start >= 1 && start <= Cost.LARGEST_SIZE, "0 or a size from 1 to 33");
        check("frozen", frozen, frozen >= 0 && frozen < 1, "a fraction, 0 or more and below 1");
        check(
                "closing",
                closing,
                closing >= 0 && frozen + closing < 1,
                "a fraction, 0 or more, below 1 with that of frozen");
        check("spread", spread, spread >= 0 && spread <= 2, "0 to 2");
        check("travel", travel, travel > 0 && travel <= 1000, "a number above 0 and at most 1000");
        check("horizon", horizon, horizon > 0 && horizon <= 1, "a fraction above 0 and at most 1");
        check("settle", settle, settle > 0 && settle <= 1, "a fraction above 0 and at most 1");
        check("price", price, price >= 0 && price < Double.POSITIVE_INFINITY, "0 or more");
        check("size-rate", sizeRate, sizeRate > 0 && sizeRate <= 100, "a number above 0 and at most 100");
        check("features", features, features >= 1 && features <= 512, "1 to 512");
        check("hidden", hidden, hidden >= 1 && hidden <= 512, "1 to 512");
    }

    private static void check(String name, double value, boolean good, String expected) {
        if (!good) {
            throw new InvalidInput("search setting " + name + " " + value + ": expected " + expected);
        }
    }

    /** Values of the parameter that stands for the kernels of a layer in a search. */
    public long kernelValues(SizedLayer layer) {
        long perTap = layer.parametersPerTap();
        return kernels == Kernels.ELASTIC ? perTap * layer.kmax() * layer.kmax() : perTap * features;
    }

    /** The defaults. */
    public static SearchSettings standard() {
        return new Builder().build();
    }

    /** The same with other values; anything not set stays. */
    public Builder change() {
        return new Builder(this);
    }

    /** Single values by name; those that are not set stay, at first the {@linkplain #standard standard} ones. */
    public static final class Builder {
        private MaskKind mask = MaskKind.RAMP;
        private Kernels kernels = Kernels.COORDINATE;
        private Update update = Update.STEADY;
        private double start = 0;
        private double frozen = 0.4;
        private double closing = 0.2;
        private double spread = 0.4;
        private double travel = 8;
        private double horizon = 0.1;
        private double settle = 0.3;
        private double price = 0.42;
        private boolean ceiling = false;
        private double sizeRate = 0.3;
        private int features = 32;
        private int hidden = 32;
        private boolean spareRing = true;

        private Builder() {}

        private Builder(SearchSettings s) {
            mask = s.mask;
            kernels = s.kernels;
            update = s.update;
            start = s.start;
            frozen = s.frozen;
            closing = s.closing;
            spread = s.spread;
            travel = s.travel;
            horizon = s.horizon;
            settle = s.settle;
            price = s.price;
            ceiling = s.ceiling;
            sizeRate = s.sizeRate;
            features = s.features;
            hidden = s.hidden;
            spareRing = s.spareRing;
        }

        public Builder mask(MaskKind value) {
            mask = value;
            return this;
        }

        public Builder kernels(Kernels value) {
            kernels = value;
            return this;
        }

        public Builder update(Update value) {
            update = value;
            return this;
        }

        public Builder start(double value) {
            start = value;
            return this;
        }

        public Builder frozen(double value) {
            frozen = value;
            return this;
        }

        public Builder closing(double value) {
            closing = value;
            return this;
        }

        public Builder spread(double value) {
            spread = value;
            return this;
        }

        public Builder travel(double value) {
            travel = value;
            return this;
        }

        public Builder horizon(double value) {
            horizon = value;
            return this;
        }

        public Builder settle(double value) {
            settle = value;
            return this;
        }

        public Builder price(double value) {
            price = value;
            return this;
        }

        public Builder ceiling(boolean value) {
            ceiling = value;
            return this;
        }

        public Builder sizeRate(double value) {
            sizeRate = value;
            return this;
        }

        public Builder features(int value) {
            features = value;
            return this;
        }

        public Builder hidden(int value) {
            hidden = value;
            return this;
        }

        public Builder spareRing(boolean value) {
            spareRing = value;
            return this;
        }

        /** @throws InvalidInput if a value is out of range */
        public SearchSettings build() {
            return new SearchSettings(
                    mask, kernels, update, start, frozen, closing, spread, travel, horizon, settle, price, ceiling,
                    sizeRate, features, hidden, spareRing);
        }
    }
}
