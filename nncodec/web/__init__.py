"""The page of `nncodec ui`: a server for one user on this machine, over the same API as the command line.

`server` starts and ends it, `guard` decides who may ask, and `app` maps addresses to answers. `files` keeps what the
page uploads and makes, `folders` what it may read and write elsewhere. `jobs` runs the work of `compressing`,
`comparing` and `enhancing` one after another; `training` and `trainer` run a training in a process of its own. The page
is in `static/`: HTML and ES modules without a build step. Needs the extra `ui`.

`viewer/` writes another page, which needs neither this server nor the extra: it decodes in the browser.
"""
