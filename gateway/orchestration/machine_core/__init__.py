"""The knowledge of Machines that several families share: their facts, states, power, whereabouts, and names."""
