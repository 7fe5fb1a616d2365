"""
How to serve a translator as a web page?
========================================

Copy this script. It shows a page with a box to type into and the translation beside it, and
answers requests of programs, by `FastAPI <https://fastapi.tiangolo.com>`_. Save a fitted
translator with ``skae.save(translator, "translator.skae")``, then start the service::

    pip install fastapi uvicorn
    MODEL=translator.skae uvicorn serve_translator:app
    curl localhost:8000/translate --json '{"texts": ["Good morning."]}'

and open http://localhost:8000 in a browser. Translations are computed one request at a time, and
``max_characters`` limits the length of a text, and so the time that a request can take. An error
of the translator, such as for a text that is too long, is the answer of the service.
"""

import os
from threading import Lock

from fastapi import FastAPI, HTTPException
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field

import skae

translator = skae.load(os.environ.get("MODEL", "translator.skae"), device="cpu")
translator.set_params(max_characters=5000)
app = FastAPI(title="Translator")
one_at_a_time = Lock()

PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Translator</title>
<style>
  body { font: 1.1rem system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  main { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem }
  textarea, output { font: inherit; box-sizing: border-box; height: 14rem; padding: .7rem;
                     border: 1px solid #888; border-radius: .4rem; white-space: pre-wrap;
                     overflow: auto }
  output { background: #f3f5f8 }
  #message { color: #a00; min-height: 1.5rem }
</style>
<h1>Translator</h1>
<main>
  <textarea id="text" aria-label="Text" maxlength="5000" autofocus
            placeholder="Type a text"></textarea>
  <output id="translation" aria-label="Translation"></output>
</main>
<p id="message" role="alert"></p>
<script>
  const [text, translation, message] =
    ["text", "translation", "message"].map(id => document.getElementById(id));
  let timer, newest = 0;
  async function translate() {
    const number = ++newest;
    const answer = await fetch("translate", {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({texts: [text.value]}),
    }).catch(() => null);
    if (number < newest) return;  // the text has changed since
    const result = answer && await answer.json();
    translation.textContent = answer?.ok ? result.translations[0] : "";
    message.textContent = answer?.ok ? "" : result?.detail ?? "The service does not answer.";
  }
  text.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(translate, 300);
  });
  text.value = new URLSearchParams(location.search).get("text") ?? "";
  if (text.value) translate();
</script>
</html>
"""


class Texts(BaseModel):
    """What a program sends."""

    texts: list[str] = Field(min_length=1, max_length=100)


@app.get("/", response_class=HTMLResponse)
def page():
    return PAGE


@app.post("/translate")
def translate(asked: Texts):
    try:
        with one_at_a_time:
            translations = translator.predict(asked.texts)
    except ValueError as error:
        raise HTTPException(422, str(error)) from error
    return {"translations": translations.tolist()}
