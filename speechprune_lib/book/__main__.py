from .commands import app

app(prog_name="python -m speechprune_lib.book")
