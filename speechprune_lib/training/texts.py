"""What the mini model's training speech says: WordNet's sentences, and small invented facts with questions.

WordNet (Debian package `wordnet-base`, a permissive licence) gives a broad vocabulary: its example sentences and its
definitions. The facts come from the grammar below; their topics and wordings are other than the benchmark's.
"""

# pyright: basic
from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
EVERYDAY = Path(__file__).resolve().parents[2] / "data" / "training"


@dataclass(frozen=True)
class Fact:
    """One spoken sentence, a question that it answers, and the answer."""

    sentence: str
    question: str
    answer: str


def plain(text: str) -> str:
    """Reduce text to ASCII with single spaces: what the engines can speak and count words of."""
    ascii_text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"\s+", " ", ascii_text.replace("`", "'")).strip()


@cache
def wordnet_sentences() -> tuple[str, ...]:
    """All example sentences and one-sentence definitions of WordNet, in a fixed shuffled order."""
    if not (WORDNET / "data.noun").exists():
        raise FileNotFoundError(f"no WordNet in {WORDNET}: apt-get install wordnet-base")
    examples: dict[str, None] = {}
    definitions: dict[str, None] = {}
    for path in sorted(WORDNET.glob("data.*")):
        for line in path.read_text("utf8", errors="ignore").splitlines():
            head, bar, gloss = line.partition("| ")
            if bar:
                examples |= dict.fromkeys(map(_sentence, re.findall(r'"([^"]+)"', gloss)))
                definitions[_definition(head.split()[4].replace("_", " "), gloss)] = None
    usable = [s for s in examples if _speakable(s, 4, 30)]
    extra = [s for s in definitions if _speakable(s, 6, 24)]
    random.Random(1).shuffle(extra)
    sentences = usable + extra[: 3 * len(usable) // 2]
    random.Random(2).shuffle(sentences)
    return tuple(sentences)


@cache
def everyday_sentences() -> tuple[str, ...]:
    """The sentences of `data/training/*.txt`: everyday words that shards 0 to 37 of WordNet's rarely hold, shuffled."""
    files = sorted(EVERYDAY.glob("*.txt"))
    lines = dict.fromkeys(plain(line) for file in files for line in file.read_text("utf8").splitlines())
    sentences = [line for line in lines if line]
    random.Random(3).shuffle(sentences)
    return tuple(sentences)


def _sentence(text: str) -> str:
    text = plain(text)
    return text[:1].upper() + text[1:] + ("" if text[-1:] in ".!?" else ".")


def _definition(word: str, gloss: str) -> str:
    meaning = re.sub(r"\([^)]*\)", "", gloss.split('"')[0].split(";")[0]).strip()
    return _sentence(f"{word} means {meaning}") if re.fullmatch("[A-Za-z ]+", word) and meaning else ""


def _speakable(sentence: str, fewest: int, most: int) -> bool:
    return fewest <= len(sentence.split()) <= most and re.fullmatch(r"[A-Za-z0-9 ,.;:!?'$%-]+", sentence) is not None


# --- the grammar of facts -------------------------------------------------------------------------------------------

_LISTS = {
    "name": """Anna Ben Carla David Emma Frank Grace Henry Irene Jack Karen Leo Maria Nathan Olivia Peter Rachel Sam
        Tina Victor Wendy Alice Brian Clara Daniel Ella George Helen Ivan Julia Kevin Laura Martin Nora Oscar Paula
        Robert Sarah Thomas Vera Walter Ruth Simon Diana Edward Fiona Gordon Hannah Ian Jane Linda Mark Nancy Owen
        Patrick Rosa Steven Theresa""",
    "colour": "red blue green yellow orange purple brown black white grey pink silver golden turquoise cream scarlet",
    "day": "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "month": "January February March April May June July August September October November December",
    "number": """two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen eighteen
        twenty thirty forty fifty sixty seventy eighty ninety""",
    "material": "wood steel brick glass copper wool cotton leather clay stone paper silk brass plastic cork iron straw",
    "animal": "dog cat horse cow goat sheep rabbit duck parrot turtle pony hen donkey owl fox hamster swan",
    "food": """bread soup rice cheese apples pancakes beans potatoes cake fish noodles eggs pears lentils salad pie
        mushrooms honey carrots plums""",
    "object": """bicycle lamp table chair radio kettle clock mirror ladder basket piano carpet blanket umbrella suitcase
        guitar camera wallet notebook hammer bucket drum wagon tent boat sofa candle scarf jacket hat map key box""",
    "place": """library station bakery museum school garage harbour market hospital church hotel theatre bank park
        stadium airport farm cinema bridge cellar attic kitchen garden office barn shed""",
    "job": """teacher doctor baker farmer pilot nurse painter carpenter lawyer driver cook tailor plumber gardener
        singer librarian engineer waiter sailor mechanic""",
    "hour": "one two three four five six seven eight nine ten eleven",
    "reason": """the road was flooded;the power was out;the train was late;the roof was leaking;the key was lost;the
        snow was too deep;the tickets were sold out;the heating had failed;the phone was broken;the wind was too
        strong;the engine was too hot;the money had run out;nobody had signed the form;the children were ill""",
    "tool": "a rope;a shovel;a needle;a torch;a spoon;a pencil;a brush;a wire;a knife;a magnet;a saw;a sponge;a hook",
    "goal": """save money;help the neighbours;learn French;win the prize;feed the birds;keep the room warm;see the
        sunrise;avoid the traffic;surprise the guests;protect the plants;make less noise;raise money for the school""",
}
CHOICES = {
    slot: [" ".join(x.split()) for x in (words.split(";") if ";" in words else words.split())]
    for slot, words in _LISTS.items()
}

# sentence | question | answer; {slot} is drawn once and may recur, {slot2} is a second draw from the same list
_GRAMMAR = """
{name} painted the {object} {colour}. | What colour did {name} paint the {object}? | {colour}
The {object} that {name} bought was {colour}. | What colour was the {object} that {name} bought? | {colour}
{name} left the {object} in the {place}. | Where did {name} leave the {object}? | in the {place}
You will find the {object} behind the {place}. | Where will you find the {object}? | behind the {place}
The meeting about the {place} is on {day} at {hour} o'clock. | When is the meeting about the {place}? | {day} at {hour} o'clock
{name} will visit the {place} on {day}. | On which day will {name} visit the {place}? | {day}
We moved the party at the {place} to {day}. | To which day was the party at the {place} moved? | {day}
The new {place} opened in {month}. | When did the new {place} open? | in {month}
The old {place} was built of {material}. | What was the old {place} built of? | {material}
{name} made the {object} out of {material}. | What did {name} use to make the {object}? | {material}
{name} has {number} {animal}s on the farm. | How many {animal}s does {name} have? | {number}
The {object} cost {number} dollars at the {place}. | How much did the {object} cost? | {number} dollars
There were {number} people waiting at the {place}. | How many people were waiting at the {place}? | {number}
{name} gave the {object} to {name2}. | Who got the {object} from {name}? | {name2}
It was {name} who broke the {object}. | Who broke the {object}? | {name}
{name} is going to repair the {object}. | Who is going to repair the {object}? | {name}
The {job} told {name} to wait at the {place}. | Who told {name} to wait at the {place}? | the {job}
{name} works as a {job} now. | What does {name} work as now? | a {job}
{name} wants to become a {job} next year. | What does {name} want to become? | a {job}
The {place} was closed because {reason}. | Why was the {place} closed? | because {reason}
{name} came home early because {reason}. | Why did {name} come home early? | because {reason}
{name} opened the {object} with {tool}. | What did {name} open the {object} with? | {tool}
They cleaned the {object} with {tool}. | What did they clean the {object} with? | {tool}
{name} got up at five in order to {goal}. | Why did {name} get up at five? | to {goal}
The whole plan of {name} was to {goal}. | What was the plan of {name}? | to {goal}
For dinner {name} cooked {food} with {food2}. | What did {name} cook for dinner? | {food} with {food2}
{name} brought {food} to the {place}. | What did {name} bring to the {place}? | {food}
A {colour} {animal} ran out of the {place}. | What ran out of the {place}? | a {colour} {animal}
{name} is afraid of the {animal}. | What is {name} afraid of? | the {animal}
The group decided to sell the {object}. | What did the group decide to sell? | the {object}
We agreed that {name} should lead the team at the {place}. | Who should lead the team at the {place}? | {name}
{name} hid the letter under the {object}. | Where did {name} hide the letter? | under the {object}
{name} travelled to the {place} by {object}. | How did {name} travel to the {place}? | by {object}
The bus to the {place} leaves at half past {hour}. | When does the bus to the {place} leave? | at half past {hour}
{name} paid for the {object} with {food}. | What did {name} pay with? | {food}
The {animal} slept on the {object} all night. | Where did the {animal} sleep? | on the {object}
{name} forgot the {colour} {object} on the bus. | What did {name} forget on the bus? | the {colour} {object}
The best thing at the {place} was the {food}. | What was the best thing at the {place}? | the {food}
{name} took {number} photos of the {animal}. | How many photos of the {animal} did {name} take? | {number}
The {object} was found by a {job} near the {place}. | Who found the {object} near the {place}? | a {job}
"""
_TEMPLATES = [tuple(part.strip() for part in line.split("|")) for line in _GRAMMAR.strip().splitlines()]
_OPENERS = ("", "", "", "", "Well, ", "Oh, ", "You know, ", "So, ", "Right, ", "By the way, ", "Now, ", "I heard that ")


def facts(rng: random.Random) -> Iterator[Fact]:
    """Endless invented facts; no two in a row come from the same template."""
    while True:
        for template in rng.sample(_TEMPLATES, len(_TEMPLATES)):
            drawn = {s: rng.sample(words, 2) for s, words in CHOICES.items()}
            slots = {s: pair[0] for s, pair in drawn.items()} | {f"{s}2": pair[1] for s, pair in drawn.items()}
            sentence, question, answer = (part.format(**slots) for part in template)
            opener = rng.choice(_OPENERS)
            starts_with_name = sentence.split()[0] in CHOICES["name"]
            body = sentence if not opener or starts_with_name else sentence[0].lower() + sentence[1:]
            yield Fact(opener + body, question, answer)
