package org.effconv.predict;

import java.util.ArrayList;
import java.util.List;
import org.effconv.autodiff.Tape;
import org.effconv.autodiff.Variable;
import org.effconv.backend.Backend;
import org.effconv.tensor.Shape;
import org.effconv.tensor.Tensor;

/** Records an operation of many outputs on a tape: its backward half runs once, with the gradients of all outputs. */
public final class JointOperation {
    private JointOperation() {}

    /** Given the gradient of every output (zero where none flowed), hands gradients to the inputs. */
    public interface Backward {
        void run(List<Tensor> gradients);
    }

    // The backward pass visits the outputs before the joint node, as they are recorded after it. Each leaves its
    // gradient
    // at a leaf and wakes the joint node by a gradient of its scalar.
    public static List<Variable> record(Tape tape, List<Tensor> outputs, Backward backward) {
        Backend backend = tape.backend();
        List<Variable> slots = outputs.stream().map(tape::input).toList();
        Tensor scalar = tape.allocate(outputs.get(0).type(), Shape.of(1));
        Variable joint = tape.record(scalar, true, ignored -> {
            List<Tensor> gradients = new ArrayList<>();
            for (Variable slot : slots) {
                Tensor gradient = slot.gradient();
                if (gradient == null) {
                    gradient = tape.allocate(slot.value().type(), slot.shape());
                    backend.fill(gradient, 0);
                }
                gradients.add(gradient);
            }
            backward.run(gradients);
        });
        List<Variable> variables = new ArrayList<>();
        for (int i = 0; i < outputs.size(); i++) {
            Variable slot = slots.get(i);
            variables.add(tape.record(outputs.get(i), true, gradient -> {
                Tensor wake = tape.allocate(scalar.type(), scalar.shape());
                backend.fill(wake, 1);
                tape.addGradient(slot, gradient);
                tape.addGradient(joint, wake);
            }));
        }
        return variables;
    }
}
