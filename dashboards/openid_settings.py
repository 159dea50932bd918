"""What is configured for signing in with the organisation's own accounts (OpenID Connect), and which rights a person has by it.

Belongs here: the `CSATLAS_OIDC_*` variables, what they accept, and the way from a provider's claims to a role and units.
Does not belong here: talking to the provider (openid) and sessions (auth).

Nobody gets in by having an account at the provider alone: a value of a claim has to be named here, for the role and for the units.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

from dashboards.data.rights import PERSONAL_ROLES, ROLES, Viewer

PREFIX = "CSATLAS_OIDC_"
LOCAL_VARIABLE = "CSATLAS_LOCAL_SIGN_IN"
PROXIES_VARIABLE = "CSATLAS_TRUSTED_PROXIES"
EVERY_UNIT = "*"
MASKED = "masked"
MOST_UNITS = 100
"""Units one person may have: they travel in the session's cookie."""
_NAMES = (
    "ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_BASE", "SCOPES", "LABEL",
    "NAME_CLAIM", "ROLE_CLAIM", "ROLES", "UNIT_CLAIM", "UNITS",
)  # fmt: skip


class OpenIdSettingsError(ValueError):
    """A variable of the sign-in holds something that cannot be used; the message names it and says what is accepted."""


@dataclass(frozen=True)
class RoleRule:
    """What a value of the role claim gives."""

    value: str
    role: str
    personal: bool


@dataclass(frozen=True)
class UnitRule:
    """What a value of the unit claim gives; None = every unit."""

    value: str
    units: tuple[str, ...] | None


@dataclass(frozen=True)
class OpenIdSettings:
    """A provider, and what its claims mean here.

    Attributes:
        issuer: the provider's own name for itself; its discovery document lies below it.
        redirect_base: address under which readers reach csatlas, without a path.
        label: what the button of the sign-in page calls the provider; empty = words of the page.
        name_claim: claim with the name that is shown and written down; the subject where it is missing.
        role_claim: claim with a role value or a list of them; a path with dots leads into objects.
        roles: the first rule whose value a person has decides.
        unit_claim: as `role_claim`, for units; empty = everybody who has a role sees every unit.
        units: all rules whose value a person has count together.
    """

    issuer: str
    client_id: str
    client_secret: str = field(repr=False)
    redirect_base: str
    scopes: str
    label: str
    name_claim: str
    role_claim: str
    roles: tuple[RoleRule, ...]
    unit_claim: str
    units: tuple[UnitRule, ...]

    @property
    def stamp(self) -> str:
        """Changes with everything that is configured; sessions of another stamp have ended."""
        return hashlib.sha256(json.dumps(asdict(self)).encode()).hexdigest()[:32]

    @property
    def needs_encryption(self) -> bool:
        """Whether the provider has to be reached over HTTPS: always, but on this machine."""
        return not _is_this_machine(self.issuer)

    def viewer(self, claims: Mapping[str, Any]) -> Viewer | None:
        """What a person may see, or None where no rule gives a role and a unit.

        Args:
            claims: verified claims of the person, with `sub`.
        """
        owned = claim_values(claims, self.role_claim)
        rule = next((rule for rule in self.roles if rule.value in owned), None)
        if rule is None:
            return None
        units: frozenset[str] | None = None
        if self.unit_claim:
            theirs = claim_values(claims, self.unit_claim)
            given = [one.units for one in self.units if one.value in theirs]
            if not given:
                return None
            if None not in given:
                units = frozenset(unit for some in given for unit in some or ())
                if len(units) > MOST_UNITS:
                    return None
        return Viewer(self.person(claims), rule.role, units, rule.personal)

    def person(self, claims: Mapping[str, Any]) -> str:
        """The name that is shown and written down: never that of a local account."""
        found = claims.get(self.name_claim)
        name = found if isinstance(found, str) and found.strip() else str(claims["sub"])
        return "oidc:" + "".join(letter for letter in name if letter.isprintable())[:64]


@dataclass(frozen=True)
class SignInSettings:
    """How readers sign in.

    Attributes:
        local: whether local accounts may sign in.
        openid: the provider; None = local accounts alone.
        proxies: reverse proxies in front of the server whose `X-Forwarded-*` are believed; 0 = none.
    """

    local: bool = True
    openid: OpenIdSettings | None = None
    proxies: int = 0


def claim_values(claims: Mapping[str, Any], path: str) -> frozenset[str]:
    """Texts that a claim holds: itself, or the members of a list. A name with dots that is no claim is a path into objects."""
    found: Any = claims
    if path in claims:
        found = claims[path]
    else:
        for part in path.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
    values = found if isinstance(found, list | tuple) else [found]
    return frozenset(value for value in values if isinstance(value, str))


def _is_this_machine(address: str) -> bool:
    name = urlsplit(address).hostname or ""
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _address(name: str, text: str, *, with_path: bool) -> str:
    parts = urlsplit(text)
    good = parts.scheme == "https" or (parts.scheme == "http" and _is_this_machine(text))
    if not good or not parts.hostname or parts.query or parts.fragment or "@" in parts.netloc:
        raise OpenIdSettingsError(f"{name}={text!r} cannot be used; give an https address without ? and #.")
    if not with_path and parts.path not in ("", "/"):
        raise OpenIdSettingsError(
            f"{name}={text!r} has a path; give the address of csatlas alone, https://host[:port]."
        )
    return text if with_path else text.rstrip("/")


def _pairs(name: str, text: str) -> list[tuple[str, str]]:
    """`value=meaning, value=meaning`; the value is what stands before the last `=`."""
    pairs = []
    for part in text.split(","):
        if not part.strip():
            continue
        value, sign, meaning = part.rpartition("=")
        if not sign or not value.strip() or not meaning.strip():
            raise OpenIdSettingsError(f"{name}: {part.strip()!r} is no pair; write value=meaning, separated by commas.")
        pairs.append((value.strip(), meaning.strip()))
    return pairs


def _roles(name: str, text: str) -> tuple[RoleRule, ...]:
    rules = []
    for value, meaning in _pairs(name, text):
        role, _, masked = meaning.partition(":")
        if role not in ROLES or masked not in ("", MASKED):
            raise OpenIdSettingsError(
                f"{name}: {meaning!r} is no role; use one of {', '.join(ROLES)}, with :{MASKED} behind it to keep personal data away."
            )
        rules.append(RoleRule(value, role, role in PERSONAL_ROLES and not masked))
    if not rules:
        raise OpenIdSettingsError(f"{name} is empty, so nobody could sign in; write value=role, separated by commas.")
    return tuple(rules)


def _units(name: str, text: str) -> tuple[UnitRule, ...]:
    rules = []
    for value, meaning in _pairs(name, text):
        units = tuple(part.strip() for part in meaning.split("|") if part.strip())
        if EVERY_UNIT in units and len(units) > 1:
            raise OpenIdSettingsError(f"{name}: {meaning!r} names every unit and others; write {EVERY_UNIT} alone.")
        rules.append(UnitRule(value, None if units == (EVERY_UNIT,) else units))
    if not rules:
        raise OpenIdSettingsError(
            f"{name} is empty; write value=unit (several with |), or {EVERY_UNIT} without a unit claim."
        )
    return tuple(rules)


def _openid(given: Mapping[str, str]) -> OpenIdSettings | None:
    values = {name: given.get(PREFIX + name, "").strip() for name in _NAMES}
    if not any(values.values()):
        return None
    for name in ("ISSUER", "CLIENT_ID", "CLIENT_SECRET", "REDIRECT_BASE", "ROLES", "UNITS"):
        if not values[name]:
            raise OpenIdSettingsError(f"{PREFIX}{name} is missing; signing in by OpenID Connect needs it.")
    scopes = values["SCOPES"].split() or ["openid", "profile", "email"]
    if "openid" not in scopes:
        raise OpenIdSettingsError(f"{PREFIX}SCOPES has no openid among them; name it, separated by spaces.")
    everybody = values["UNITS"] == EVERY_UNIT
    if everybody == bool(values["UNIT_CLAIM"]):
        raise OpenIdSettingsError(
            f"{PREFIX}UNIT_CLAIM and {PREFIX}UNITS do not fit: name the claim with value=unit pairs, or leave the claim away with {EVERY_UNIT} (every unit for everybody)."
        )
    return OpenIdSettings(
        issuer=_address(f"{PREFIX}ISSUER", values["ISSUER"], with_path=True),
        client_id=values["CLIENT_ID"],
        client_secret=values["CLIENT_SECRET"],
        redirect_base=_address(f"{PREFIX}REDIRECT_BASE", values["REDIRECT_BASE"], with_path=False),
        scopes=" ".join(scopes),
        label=values["LABEL"],
        name_claim=values["NAME_CLAIM"] or "preferred_username",
        role_claim=values["ROLE_CLAIM"] or "roles",
        roles=_roles(f"{PREFIX}ROLES", values["ROLES"]),
        unit_claim=values["UNIT_CLAIM"],
        units=() if everybody else _units(f"{PREFIX}UNITS", values["UNITS"]),
    )


def sign_in_settings(environment: Mapping[str, str]) -> SignInSettings:
    """What the variables of an environment say.

    Raises:
        OpenIdSettingsError: a variable cannot be used, one is missing beside others, or nobody could sign in.
    """
    openid = _openid(environment)
    local = environment.get(LOCAL_VARIABLE, "").strip().lower() or "yes"
    if local not in ("yes", "no"):
        raise OpenIdSettingsError(f"{LOCAL_VARIABLE}={local!r} is neither yes nor no.")
    if local == "no" and openid is None:
        raise OpenIdSettingsError(f"{LOCAL_VARIABLE}=no leaves no way to sign in; set the {PREFIX}* variables too.")
    proxies = environment.get(PROXIES_VARIABLE, "").strip() or "0"
    if not proxies.isascii() or not proxies.isdigit() or int(proxies) > 5:
        raise OpenIdSettingsError(f"{PROXIES_VARIABLE}={proxies!r} is no number from 0 to 5.")
    return SignInSettings(local == "yes", openid, int(proxies))
