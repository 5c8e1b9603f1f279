"""What several families know of Machines: their facts, states, power, whereabouts, and names on the host."""
