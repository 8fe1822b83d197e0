"""Images and their pixels: areas, colour modes, regions, and reading and writing any picture file."""
