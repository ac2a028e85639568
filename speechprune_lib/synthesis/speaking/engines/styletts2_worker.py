"""Runs in StyleTTS 2's own environment: a line of JSON in, a recording on disk and a line of JSON out."""

# pyright: basic
import contextlib
import json
import sys

RATE_HZ = 24_000


def main() -> None:
    sys.path.pop(0)  # this folder, whose styletts2.py is not the one that is meant
    with contextlib.redirect_stdout(sys.stderr):  # the model prints while it loads; answers alone go to stdout
        import soundfile
        from styletts2 import tts  # type: ignore[import-not-found]  # only there

        model = tts.StyleTTS2()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            with contextlib.redirect_stdout(sys.stderr):
                samples = model.inference(
                    request["text"],
                    target_voice_path=request["reference"],
                    output_sample_rate=RATE_HZ,
                    diffusion_steps=request["steps"],
                    embedding_scale=request["scale"],
                )
                soundfile.write(request["out"], samples, RATE_HZ)
            answer = {"out": request["out"]}
        except Exception as error:  # noqa: BLE001 - one text that fails must not end the others
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
