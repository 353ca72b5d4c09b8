"""What attackers do in an organisation, and names that are never seen again."""
import random

from identity import Identity

# How often which identity is the one that is misused.
VICTIMS = dict(dev=24, admin=14, legacy=12, automation=16, workload=24, new=6, dormant=4)
STYLES = dict(burst=55, slow=25, single=20)


def attack(org):
    """One to three techniques through one identity: in a burst, over days, or a single one.  In 3 of 10,
    denied attempts come first."""
    rnd = org.random
    people = lambda *jobs: [i for i in org.people if i.job in jobs]
    machines = lambda *jobs: [i for i in org.identities if i.job in jobs and i.kind != "service"]
    pools = dict(dev=people("dev", "data", "auditor"), admin=people("platform", "security", "helpdesk", "sre"),
                 legacy=people("legacy"), automation=machines("ci", "terraform", "scim", "stackset"),
                 workload=machines("lambda", "instance"))
    weights = {t: 1 + (len(operations) > 1) for t, operations in org.techniques.items()}
    attempts = sorted({o for operations in org.techniques.values() for o in operations if o[0] != "!"})
    for number in range(1, org.size.attacks + 1):
        chosen = choose_victim(org, pools)
        if not chosen:
            continue
        identity, victim, first = chosen
        style = org.choose(STYLES)
        techniques = []
        for _ in range(1 if style == "single" else rnd.choice([1, 2, 2, 3])):
            technique = org.choose(weights)
            if technique not in techniques:
                techniques.append(technique)
        day, second = first, rnd.uniform(0, 80000)
        if rnd.random() < 0.3:
            for operation in rnd.sample(attempts, rnd.randrange(1, 4)):
                org.put(identity, day, second, operation, True, number)
                second += rnd.expovariate(1 / 20.0)
        for technique in techniques:
            for operation in org.techniques[technique]:
                org.put(identity, day, second, operation.lstrip("!"), operation[0] == "!", number)
                org.active[identity].add(day)
                second += rnd.expovariate(1 / 30.0)
                if style == "slow":
                    day = min(org.days - 1, day + rnd.choice([0, 1, 1, 2, 3]))
                    second = rnd.uniform(0, 86000)
            if style == "burst" and rnd.random() < 0.25:
                day = min(org.days - 1, day + 1)
                second = rnd.uniform(0, 86000)
        org.attacks.append((number, identity, victim, style, "+".join(techniques), first))


def choose_victim(org, pools):
    """(identity, what it is chosen as, first day of the attack)"""
    rnd, active = org.random, org.active
    for _ in range(400):
        victim = org.choose(VICTIMS)
        day = rnd.randrange(org.days - org.test, org.days - 6)
        if victim == "new":
            pool = [i for i in org.identities if active[i] and 0 <= day - min(active[i]) < 10]
        elif victim == "dormant":
            pool = [i for i in pools["legacy"] + pools["dev"] + pools["workload"]
                    if active[i] and min(active[i]) < day - 60
                    and not any(d in active[i] for d in range(day - 30, day))]
        else:
            pool = [i for i in pools[victim] if active[i] and min(active[i]) < day - 3]
        pool = [i for i in pool if i.start <= day and org.born[i.account] <= day - 1]
        if pool:
            return rnd.choice(pool), victim, day
    return None


def make_ephemeral(org):
    """Leases of credentials (IAM users) and runs of pipelines (sessions named for the run), of one day each;
    six are stolen."""
    rnd = random.Random(f"ephemeral/{org.shape}/{org.seed}")
    homes = rnd.sample([account for account, day in org.born.items() if day == 0], 4)
    does = {
        "lease": [("iam:AttachRolePolicy", 0.7), ("iam:CreateUser", 0.5)],
        "run": [("iam:CreateRole", 0.5), ("iam:AttachRolePolicy", 0.5), ("iam:PutRolePolicy", 0.3),
                ("iam:CreatePolicyVersion", 0.3)],
    }
    recent = []
    for day in range(org.days):
        for n in range(org.size.ephemeral):
            job, account, mark = "lease" if n % 2 else "run", rnd.choice(homes), rnd.getrandbits(40)
            name, kind = f"arn:aws:iam::{account}:user/vault-token-admin-{mark:010x}", "user"
            if job == "run":
                role = f"arn:aws:iam::{account}:role/ci-deploy-{rnd.randrange(3)}"
                name, kind = f"{role}/run-{mark:010x}@github", "federated_user"
            identity = Identity(account, name, kind, job, day, day + 1)
            org.identities.append(identity)
            org.active[identity] = {day}
            second = rnd.uniform(0, 80000)
            for operation, chance in does[job]:
                if rnd.random() < chance:
                    org.put(identity, day, second, operation)
                    second += rnd.expovariate(1 / 20.0)
            if org.days - org.test <= day:
                recent.append((day, identity))
    for number in range(len(org.attacks) + 1, len(org.attacks) + 7):
        (day, identity), technique = rnd.choice(recent), rnd.choice(sorted(org.techniques))
        for n, operation in enumerate(org.techniques[technique]):
            org.put(identity, day, 82000 + 20 * n, operation.lstrip("!"), operation[0] == "!", number)
        org.attacks.append((number, identity, "ephemeral", "single", technique, day))
