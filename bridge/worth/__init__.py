"""What the Spartan units are worth: convolutions dense and with Spartan, beside bounds and the paper's claims."""

from bridge.worth.bounds import Bounds, bounds
from bridge.worth.cases import Case, cases_of
from bridge.worth.claims import Claim, load_claims
from bridge.worth.measure import measure
from bridge.worth.store import Store

__all__ = ["Bounds", "Case", "Claim", "Store", "bounds", "cases_of", "load_claims", "measure"]
