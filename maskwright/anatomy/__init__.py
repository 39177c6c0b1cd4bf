"""From joints, an outline and a skeleton profile to body parts: what the methods of anatomy share."""
