"""A static page that decodes .nnc files in the browser: `static/` in JavaScript, and the models in a form for it."""
