"""How large the generated organisations are, and how much changes in them.

All numbers are judgement; none is fitted to a real organisation.
"""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    accounts: int               # AWS accounts or GCP projects
    people: dict                # how many of each job
    reach: float                # accounts that a person works in, mean
    # machine identities, each so many
    ci: int                     # deployments of one application
    terraform: int              # automation of many tasks
    lambdas: int                # functions; a few do something in IAM
    instances: int              # instances and their roles
    service_linked: int         # roles and agents of the provider's own services
    directories: int            # a directory that is kept in step (SCIM)
    # what changes, so many in 100 days
    hires: int
    moves: int                  # changes of job
    projects: int               # a group of people has other tasks for weeks
    rollouts: int               # an automation learns new tasks
    fleets: int                 # one new version in many roles, within days
    incidents: int              # break glass: what nobody does, in a burst
    new_accounts: int
    attacks: int                # in the whole test period
    periodic: float             # recurring duties of an administrator, mean
    root: bool = True           # whether accounts have a root user
    ephemeral: int = 0          # names that live for one day (leases and runs), a day
    provider: str = "aws"


STARTUP = Shape(
    accounts=1, people=dict(platform=2, dev=6, data=1, legacy=1), reach=1, ci=2, terraform=1, lambdas=4,
    instances=2, service_linked=2, directories=0, hires=2, moves=1, projects=2, rollouts=3, fleets=1,
    incidents=2, new_accounts=0, attacks=8, periodic=0.6)

MIDSIZE = Shape(
    accounts=12, people=dict(platform=6, security=3, helpdesk=3, sre=10, dev=35, data=6, auditor=3, legacy=8),
    reach=2.2, ci=24, terraform=12, lambdas=50, instances=30, service_linked=24, directories=1, hires=10,
    moves=5, projects=4, rollouts=10, fleets=3, incidents=4, new_accounts=1, attacks=30, periodic=0.5)

ENTERPRISE = Shape(
    accounts=40, people=dict(platform=40, security=18, helpdesk=20, sre=90, dev=420, data=70, auditor=20,
                             legacy=80),
    reach=1.9, ci=240, terraform=60, lambdas=560, instances=330, service_linked=160, directories=2, hires=70,
    moves=35, projects=16, rollouts=60, fleets=12, incidents=20, new_accounts=3, attacks=70, periodic=0.5)

GCP = Shape(
    accounts=10, people=dict(platform=6, security=3, helpdesk=2, sre=10, dev=40, data=14, auditor=2, legacy=6),
    reach=2, ci=24, terraform=10, lambdas=50, instances=20, service_linked=30, directories=0, hires=8, moves=4,
    projects=4, rollouts=10, fleets=3, incidents=4, new_accounts=1, attacks=30, periodic=0.5, root=False,
    provider="gcp")

SEASONAL = Shape(
    accounts=2, people=dict(platform=14, security=8, helpdesk=8, sre=14, dev=10, data=4, auditor=6, legacy=4),
    reach=1.2, ci=6, terraform=4, lambdas=10, instances=6, service_linked=6, directories=1, hires=2, moves=2,
    projects=2, rollouts=2, fleets=0, incidents=2, new_accounts=0, attacks=24, periodic=3.5)

CHURN = Shape(
    accounts=6, people=dict(platform=6, security=2, helpdesk=2, sre=8, dev=40, data=6, auditor=2, legacy=4),
    reach=1.8, ci=20, terraform=8, lambdas=40, instances=16, service_linked=12, directories=1, hires=40,
    moves=24, projects=12, rollouts=40, fleets=10, incidents=12, new_accounts=3, attacks=30, periodic=0.4)

SHAPES = {
    "startup": STARTUP,
    "midsize": MIDSIZE,
    "enterprise": ENTERPRISE,
    "gcp": GCP,
    "seasonal": SEASONAL,
    "churn": CHURN,
    "leases": dataclasses.replace(MIDSIZE, ephemeral=40),
}
