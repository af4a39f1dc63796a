"""Invented business prose in German and English, with everything that has ever broken a mail program."""

import random

GERMAN = (
    "Vielen Dank für die schnelle Rückmeldung zum Angebot {n}.",
    "Die Lieferung der Bauteile verzögert sich leider bis Kalenderwoche {k}.",
    "Bitte prüfen Sie die Übersicht und geben Sie mir bis {w} Bescheid.",
    "Im Anhang finden Sie den überarbeiteten Vertrag mit der Änderung in § {k}.",
    "Die Räume im Erdgeschoß sind ab {w} wieder verfügbar.",
    "Unsere Buchhaltung hat die Rechnung {n} über {e} € freigegeben.",
    "Für das Prüfprotokoll fehlen noch die Maße der Gehäuseböden.",
    "Könnten wir den Termin um eine Stunde nach hinten verschieben?",
    "Die Schlüsselübergabe erfolgt wie besprochen durch Herrn Größmann.",
    "Der Serverraum wird am {w} ab 18:00 Uhr gewartet; rechnen Sie mit kurzen Unterbrechungen.",
    "Müssen wir für die Messe in Köln noch zusätzliche Flächen buchen?",
    "Beim letzten Durchlauf wurden {n} Datensätze übernommen und {k} zurückgewiesen.",
)
ENGLISH = (
    "Thanks for getting back to me so quickly about quote {n}.",
    "The shipment has been pushed back to week {k}; the carrier gave no reason.",
    "Please have a look at the sheet and let me know before {w}.",
    "I have attached the revised statement of work, see clause {k}.",
    "Invoice {n} over EUR {e} was approved this morning.",
    "The test bench is free again from {w} onwards.",
    "We counted {n} records on the old system and {k} that nobody recognises.",
    "Could you join the call for ten minutes? It concerns the naïve estimate from last week.",
    "The maintenance window starts at 18:00, expect short interruptions.",
    "Our contact in Zürich asked for the drawings in a different format.",
)
WEEKDAYS = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag")
SUBJECTS = (
    "Angebot {n}",
    "Rechnung {n} über {e} €",
    "Protokoll der Besprechung vom {w}",
    "Übergabe Projekt Nordlicht",
    "Maintenance window, week {k}",
    "Quote {n}: revised figures",
    "Urlaubsplanung für das nächste Quartal",
    "Rückfrage zur Größe der Gehäuse",
    "Status report {k}/2026",
    "Bestellung {n} – Lieferverzögerung",
    "日本支社からの質問 {n}",
    "Termin 🗓 am {w}",
)
PEOPLE = (
    ("Anna Groß", "anna.gross"),
    ("Mehmet Yıldız", "mehmet.yildiz"),
    ("Jürgen Müller", "juergen.mueller"),
    ("Sophie Lefèvre", "sophie.lefevre"),
    ("Karolína Dvořáková", "karolina.dvorakova"),
    ("Ben Carter", "ben.carter"),
    ("Ingrid Sørensen", "ingrid.sorensen"),
    ("Paweł Nowak", "pawel.nowak"),
    ("Lucía Fernández", "lucia.fernandez"),
    ("Tim Weiß", "tim.weiss"),
)
DEPARTMENTS = ("Einkauf", "Vertrieb", "Buchhaltung", "Entwicklung", "Personal")
CATEGORIES = ("Rote Kategorie", "Blaue Kategorie", "Kunde Müller", "Wichtig", "Follow-up")


def paragraph(rng: random.Random, length: int) -> str:
    """Return about `length` characters of prose in one of the two languages, in lines of up to 76."""
    sentences = rng.choice((GERMAN, ENGLISH))
    lines: list[str] = []
    line, total = "", 0
    while total < length:
        for word in fill(rng, rng.choice(sentences)).split():
            if len(line) + len(word) > 75:  # noqa: PLR2004 - the customary width of mail
                lines.append(line)
                line = ""
            line = f"{line} {word}".strip()
            total += len(word) + 1
        if rng.random() < 0.2:  # noqa: PLR2004 - now and then a new paragraph
            lines += [line, ""]
            line = ""
    return "\n".join([*lines, line])


def fill(rng: random.Random, template: str) -> str:
    """Put numbers, amounts and weekdays into a sentence."""
    euros = f"{rng.randrange(20, 90_000)},{rng.randrange(100):02d}"
    return template.format(n=rng.randrange(10_000, 99_999), k=rng.randrange(1, 53), e=euros, w=rng.choice(WEEKDAYS))
