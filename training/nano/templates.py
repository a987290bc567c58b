"""Sentences with numbers, dates, times, money and names, spelled out as the library's EnglishTextNormalizer spells them."""

NAMES = "anna tom mary john sarah peter david emma lucy james alice robert linda susan kevin laura henry julia mark karen".split()
CITIES = "london,paris,berlin,boston,chicago,new york,tokyo,madrid,rome,dublin,seattle,denver,vienna,oslo".split(",")
OBJECTS = ("book car phone ticket table window door coffee cup tea letter picture key bag coat house garden kitchen computer camera clock bottle "
           "chair pencil paper dog cat horse bird").split()
QUALITIES = ("red blue green yellow black white small big old new cold warm happy sad quiet loud heavy light clean dirty fresh beautiful strange "
             "simple").split()
VERBS = "read buy sell find open close watch clean bring take carry paint wash fix break lose keep need want like".split()
DAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
MONTHS = "january february march april may june july august september october november december".split()
GREETINGS = "hello,good morning,good evening,hi,thank you,goodbye,welcome".split(",")
ONES = ("zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen").split()
TENS = "zero ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth", "twelve": "twelfth"}


def number(n):
    if n < 20:
        return ONES[n]
    if n < 100:
        return TENS[n // 10] + (" " + ONES[n % 10] if n % 10 else "")
    for size, name in ((1000000, "million"), (1000, "thousand"), (100, "hundred")):
        if n >= size:
            rest = n % size
            return f"{number(n // size)} {name}" + (f" {number(rest)}" if rest else "")


def ordinal(n):
    first, _, last = number(n).rpartition(" ")
    last = ORDINALS.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return f"{first} {last}".strip()


def year(n):
    if 2000 <= n < 2010:
        return number(n)
    century, rest = divmod(n, 100)
    return number(century) + (" hundred" if rest == 0 else " oh " + number(rest) if rest < 10 else " " + number(rest))


def time(r):
    hour, minute = number(r.randint(1, 12)), r.choice([0, 5, 10, 15, 20, 30, 40, 45, 50, 55])
    return f"{hour} o'clock" if minute == 0 else f"{hour} oh five" if minute == 5 else f"{hour} {number(minute)}"


def date(r):
    return f"{r.choice(MONTHS)} {ordinal(r.randint(1, 31))}"


def money(r):
    dollars, cents = r.randint(2, 99), r.choice([0, 0, 25, 50, 75, 99])
    return f"{number(dollars)} dollars" + (f" and {number(cents)} cents" if cents else "")


TEMPLATES = [
    lambda r: f"{r.choice(['my', 'your', 'his', 'her', 'the'])} {r.choice(QUALITIES)} {r.choice(OBJECTS)} is {r.choice(QUALITIES)}.",
    lambda r: f"do you {r.choice(VERBS)} the {r.choice(QUALITIES)} {r.choice(OBJECTS)}?",
    lambda r: f"can {r.choice(NAMES)} {r.choice(VERBS)} the {r.choice(OBJECTS)}?",
    lambda r: f"please {r.choice(VERBS)} the {r.choice(OBJECTS)}.",
    lambda r: f"where is the {r.choice(QUALITIES)} {r.choice(OBJECTS)}?",
    lambda r: f"i do not {r.choice(VERBS)} {r.choice(['this', 'that', 'the'])} {r.choice(OBJECTS)}.",
    lambda r: f"{r.choice(NAMES)} and {r.choice(NAMES)} live in {r.choice(CITIES)}.",
    lambda r: f"how far is it from {r.choice(CITIES)} to {r.choice(CITIES)}?",
    lambda r: f"{r.choice(GREETINGS)}, {r.choice(NAMES)}.",
    lambda r: f"see you on {r.choice(DAYS)}, {r.choice(NAMES)}.",
    lambda r: f"we went to {r.choice(CITIES)} in {r.choice(MONTHS)}.",
    lambda r: f"my birthday is on {date(r)}.",
    lambda r: f"{r.choice(NAMES)} was born on {date(r)}, {year(r.randint(1900, 2026))}.",
    lambda r: f"{r.choice(DAYS)}, {date(r)}.",
    lambda r: f"in the year {year(r.randint(1500, 2030))}.",
    lambda r: f"the meeting is on {r.choice(DAYS)} at {time(r)}.",
    lambda r: f"the train to {r.choice(CITIES)} leaves at {time(r)}.",
    lambda r: f"it is {time(r)} {r.choice(['a m', 'p m', 'now'])}.",
    lambda r: f"it costs {money(r)}.",
    lambda r: f"{r.choice(NAMES)} paid {money(r)} for the {r.choice(OBJECTS)}.",
    lambda r: f"the number is {number(r.randint(0, 9999))}.",
    lambda r: f"{number(r.randint(1, 99))} plus {number(r.randint(1, 99))} is {number(r.randint(2, 198))}.",
    lambda r: f"{r.choice(NAMES)} has {number(r.randint(2, 20))} {r.choice(OBJECTS)}s.",
    lambda r: f"it is {number(r.randint(1, 40))} point {number(r.randint(0, 9))} degrees.",
    lambda r: f"about {number(r.randint(2, 99))} percent of them.",
    lambda r: f"the {ordinal(r.randint(1, 99))} {r.choice(OBJECTS)} is {r.choice(QUALITIES)}.",
    lambda r: ", ".join(number(r.randint(0, 20)) for _ in range(r.randint(2, 5))) + ".",
]


def sentence_from_template(rng):
    return rng.choice(TEMPLATES)(rng)
