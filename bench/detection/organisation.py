"""Organisations with benign drift and labelled attacks.

Everything follows from the shape, the seed and the arguments: the same give the
same bytes.  What chance draws depends on the order of all draws before, so any
change here makes other organisations, and earlier results no longer compare.
docs/benchmark.md says what is assumed, and why.
"""
import math
import random

import attacks
import tasks
from identity import DAY, Identity
from shapes import SHAPES


class Organisation:
    """days: how long it is watched; test: of these the last, in which attacks happen; mix: in that share of
    what people do, an operation is any one instead of one of the task in hand."""

    def __init__(self, shape, seed, days=210, test=60, mix=0.0):
        self.shape, self.seed, self.days, self.test, self.mix = shape, seed, days, test, mix
        self.size = SHAPES[shape]
        self.random = random.Random(f"{shape}/{seed}")
        self.provider = self.size.provider
        self.gcp = self.provider == "gcp"
        self.tasks = tasks.GCP_TASKS if self.gcp else tasks.AWS_TASKS
        self.jobs = tasks.GCP_JOBS if self.gcp else tasks.AWS_JOBS
        self.techniques = tasks.GCP_ATTACKS if self.gcp else tasks.AWS_ATTACKS
        self.task_names = sorted(self.tasks)
        self.every_operation = sorted({o for task in self.tasks.values() for o in task[0] + task[1]})
        self.span = days / 100.0            # drift is given for 100 days
        self.identities, self.people, self.automated = [], [], []
        self.rotas = []                     # (people in turn, task, days of a turn, chance a day)
        self.broken = []                    # (identity, first day, days, operation that is denied)
        self.events = []                    # (day, second, identity, operation, failed, number of attack or 0)
        self.active = {}                    # identity -> set of days
        self.attacks = []                   # (number, identity, victim, style, techniques, first day)
        self.people_made = 0

        self.make_estate()
        self.make_people()
        self.make_machines()
        self.make_duties()
        self.make_drift()
        self.simulate()
        attacks.attack(self)
        if self.size.ephemeral:
            attacks.make_ephemeral(self)
        for day, _, identity, *_ in self.events:
            self.active[identity].add(day)
        self.events.sort(key=lambda e: (e[0], e[1], e[2].name, e[3]))

    # Chance

    def choose(self, weights):
        return self.random.choices(list(weights), list(weights.values()))[0]

    def poisson(self, mean):
        if mean >= 20:
            return round(self.random.gauss(mean, math.sqrt(mean)))
        trials = int(mean * 20) + 1
        return sum(1 for _ in range(trials) if self.random.random() < mean / trials)

    def own_weights(self, weights, concentration=0.8):
        """What one person does of all that the job does: uneven."""
        drawn = {t: self.random.gammavariate(concentration * w / 2 + 0.05, 1) for t, w in weights.items()}
        return {t: w + 1e-6 for t, w in drawn.items()}

    def any_task(self):
        """The name of a task, those more often that this estate uses more."""
        return self.choose(self.popularity)

    # Who there is

    def make_estate(self):
        rnd, days = self.random, self.days
        order = rnd.sample(self.task_names, len(self.task_names))
        self.popularity = {t: 1 / (1 + rank) ** 1.1 for rank, t in enumerate(order)}    # a power law
        self.accounts = [f"proj-{n:02d}" if self.gcp else f"{111100000000 + n:012d}"
                         for n in range(self.size.accounts)]
        self.born = {a: 0 for a in self.accounts}
        for n in range(round(self.size.new_accounts * self.span)):
            account = f"proj-n{n:02d}" if self.gcp else f"{222200000000 + n:012d}"
            self.accounts.append(account)
            self.born[account] = rnd.randrange(days // 4, days - 8)
        first = rnd.randrange(20, days - 20)
        self.holidays = set(range(first, first + rnd.choice([4, 7, 10])))
        self.holidays |= {rnd.randrange(days) for _ in range(int(days / 45))}

    def add(self, account, name, kind, job, start=0, **more):
        identity = Identity(account, name, kind, job, max(start, self.born[account]), self.days, **more)
        identity.failing = min(0.5, self.random.betavariate(0.6, 12))
        identity.stray = 0.04 * self.random.gammavariate(0.6, 1.6)
        self.identities.append(identity)
        return identity

    def make_people(self):
        for job, count in self.size.people.items():
            for _ in range(count):
                self.make_person(job)

    def make_person(self, job, start=0):
        """Somebody with this job, in one account or several; returns the identities."""
        rnd, accounts = self.random, self.accounts
        self.people_made += 1
        number, made, reach = self.people_made, [], 1
        if job != "legacy":
            reach = max(1, min(len(accounts), 1 + self.poisson(self.size.reach - 1)))
        if job in ("platform", "security", "helpdesk") and len(accounts) > 3:
            reach = min(len(accounts), reach + 2)
        week, sittings, weights = self.jobs[job]
        sittings *= rnd.gammavariate(0.9, 1.1)      # a few do most of the work
        weights = self.own_weights(weights)
        for account in rnd.sample(accounts, reach):
            name, kind = self.person_name(job, number, account)
            days_a_week = max(0.3, rnd.gauss(week, 0.8)) / (1 if job == "legacy" else reach ** 0.5)
            made.append(self.add(account, name, kind, job, start, days_a_week=days_a_week,
                                 sittings=sittings / reach ** 0.5, task_weights=dict(weights),
                                 office=job != "legacy"))
        return made

    def person_name(self, job, number, account):
        """Name and kind: long-lived users, and people who sign in with a permission set."""
        if self.gcp:
            return f"{job}{number}@acme.example", "user"
        if job == "legacy" or self.shape == "startup" and self.random.random() < 0.5:
            return f"arn:aws:iam::{account}:user/{job}{number}", "user"
        role = f"aws-reserved/sso.amazonaws.com/AWSReservedSSO_{job}_0123456789abcdef"
        return f"arn:aws:iam::{account}:role/{role}/{job}{number}@acme.example", "federated_user"

    def machine_name(self, job, number, account):
        if self.gcp:
            return f"{job}{number}@{account}.iam.gserviceaccount.com", "service_account"
        return f"arn:aws:iam::{account}:role/{job}-{number}", "role"

    def make_machines(self):
        for make, count in ((self.make_ci, self.size.ci), (self.make_terraform, self.size.terraform),
                            (self.make_function, self.size.lambdas), (self.make_instance, self.size.instances),
                            (self.make_service_linked, self.size.service_linked)):
            for number in range(count):
                make(number, self.random.choice(self.accounts))
        for number in range(self.size.directories):
            self.make_directory(number, self.accounts[0])
        if self.size.root:
            for account in self.accounts:
                self.add(account, f"arn:aws:iam::{account}:root", "root", "root", days_a_week=0.12,
                         sittings=0.05, task_weights=dict(pwpolicy=1, reset=0.5, org=1, self=1))
        self.people = [i for i in self.identities if i.job in self.jobs]
        self.machines = [i for i in self.identities if i.job not in self.jobs and i.job != "root"]

    def automate(self, identity, task, share, chances):
        """The operations of a task, that share of those that are done sometimes, each by its own chance a
        day: a power of ten between two."""
        always, sometimes = self.tasks[task]
        identity.automation += [(o, 10 ** self.random.uniform(*chances), 0, self.days) for o in
                                always + [o for o in sometimes if self.random.random() < share]]

    def make_ci(self, number, account):
        name, kind = self.machine_name("ci-deploy", number, account)
        identity = self.add(account, name, kind, "ci", days_a_week=6.2, session="GitHubActions")
        self.automated.append(identity)
        for task in sorted({self.any_task() for _ in range(self.random.randrange(1, 5))}):
            self.automate(identity, task, 0.5, (-1.6, -0.15))

    def make_terraform(self, number, account):
        name, kind = self.machine_name("terraform", number, account)
        identity = self.add(account, name, kind, "terraform", days_a_week=6, session="terraform")
        self.automated.append(identity)
        for task in sorted({self.any_task() for _ in range(self.random.randrange(5, 13))}):
            self.automate(identity, task, 0.6, (-2.1, -0.5))

    def make_function(self, number, account):
        rnd = self.random
        name, kind = self.machine_name("lambda", number, account)
        start = 0 if rnd.random() < 0.8 else rnd.randrange(self.days)
        identity = self.add(account, name, kind, "lambda", start,
                            days_a_week=rnd.choice([7, 7, 7, 3, 0.5]), session="fn")
        if rnd.random() < 0.12:
            for _ in range(rnd.randrange(1, 4)):
                operation = rnd.choice(self.tasks[self.any_task()][0])
                identity.automation.append((operation, 10 ** rnd.uniform(-1.5, -0.1), 0, self.days))
            self.automated.append(identity)

    def make_instance(self, number, account):
        rnd = self.random
        name, kind = self.machine_name("app", number, account)
        start = 0 if rnd.random() < 0.85 else rnd.randrange(self.days)
        identity = self.add(account, name, kind if self.gcp else "instance", "instance", start,
                            session=f"i-{rnd.getrandbits(68):017x}")
        if rnd.random() < 0.08:
            operation = rnd.choice(self.tasks[self.any_task()][0])
            identity.automation.append((operation, 10 ** rnd.uniform(-1.5, -0.1), 0, self.days))

    def make_service_linked(self, number, account):
        rnd = self.random
        role = f"aws-service-role/svc{number}.amazonaws.com/AWSServiceRoleForSvc{number % 9}"
        name = f"arn:aws:iam::{account}:role/{role}"
        if self.gcp:
            name = f"service-{1000 + number}@gcp-sa-svc{number % 9}.iam.gserviceaccount.com"
        identity = self.add(account, name, "service", "service", days_a_week=rnd.choice([7, 5, 2, 0.7]))
        if rnd.random() < 0.3:
            operation = rnd.choice(self.tasks[rnd.choice(["kms", "bucket", "proj"] if self.gcp else
                                                         ["kms", "bucket"])][0])
            identity.automation.append((operation, 10 ** rnd.uniform(-1.8, -0.2), 0, self.days))

    def make_directory(self, number, account):
        """Users and groups that are kept in step with a directory elsewhere."""
        name, kind = self.machine_name("scim-sync", number, account)
        identity = self.add(account, name, kind, "scim", session="scim")
        always, sometimes = self.tasks["scim"]
        identity.automation += [(o, 0.3, 0, self.days) for o in always]
        identity.automation += [(o, 0.06, 0, self.days) for o in sometimes]

    # What recurs

    def make_duties(self):
        """Every week, fortnight, month or quarter: somebody's, or that of whoever is in turn."""
        rnd, rate = self.random, self.size.periodic
        rare = {t: self.popularity[t] ** 0.5 for t in self.task_names}
        owners = [i for i in self.people if i.job in ("platform", "security", "helpdesk", "sre")]
        for identity in owners + self.automated:
            for _ in range(self.poisson(rate)):
                period = rnd.choice([7, 14, 30, 30, 30, 60, 91, 91])
                identity.duties.append((period, rnd.randrange(period), self.choose(rare)))
        on_call = [i for i in self.people if i.job in ("sre", "platform")]
        for _ in range(1 + int(2 * rate)):
            account = rnd.choice(self.accounts)
            crew = [i for i in on_call if i.account == account] or on_call[:6]
            if len(crew) > 1:
                self.rotas.append((crew, rnd.choice(self.task_names), rnd.choice([7, 7, 14]), 0.35))

    # What changes

    def make_drift(self):
        """Everything in it makes something new that is no attack."""
        for make, per_100_days in ((self.hire, self.size.hires), (self.move, self.size.moves),
                                   (self.project, self.size.projects), (self.roll_out, self.size.rollouts),
                                   (self.fleet, self.size.fleets), (self.break_glass, self.size.incidents)):
            for _ in range(round(per_100_days * self.span)):
                make()
        for account in self.accounts:
            self.set_up(account)
        self.go_away()
        for _ in range(round(len(self.machines) * 0.05 * self.span) + 1):
            self.lack_permission()

    def hire(self):
        rnd = self.random
        start = rnd.randrange(10, self.days - 3)
        job = rnd.choices(["dev", "sre", "data", "platform", "helpdesk"], [6, 2, 1, 1, 0.5])[0]
        new = self.make_person(job, start)
        for identity in new:
            identity.planned.append((start + rnd.randrange(3), "oslogin" if self.gcp else "self"))
        self.people += new

    def move(self):
        """Somebody changes the job."""
        rnd = self.random
        identity = rnd.choice([i for i in self.people if i.office])
        day = rnd.randrange(self.days)
        job = rnd.choice(["platform", "security", "sre", "data", "helpdesk", "dev"])
        _, sittings, weights = self.jobs[job]
        identity.move = (day, sittings * rnd.gammavariate(0.9, 1.1), self.own_weights(weights))

    def project(self):
        """A migration, say: a group of people has tasks that are not theirs, for weeks."""
        rnd = self.random
        start, length = rnd.randrange(self.days), rnd.randrange(8, 35)
        account = rnd.choice(self.accounts)
        work = sorted({rnd.choice(self.task_names) for _ in range(rnd.randrange(2, 5))})
        group = [i for i in self.people if i.account == account and i.office] or self.people
        for identity in rnd.sample(group, min(len(group), rnd.randrange(2, 9))):
            for day in range(start + rnd.randrange(6), min(self.days, start + length)):
                if rnd.random() < 0.3:
                    identity.planned.append((day, rnd.choice(work)))

    def roll_out(self):
        """An automation learns new tasks, most of which it does at once."""
        rnd = self.random
        identity, start = rnd.choice(self.automated or self.machines), rnd.randrange(self.days)
        work = sorted({rnd.choice(self.task_names) for _ in range(rnd.randrange(3, 7))})
        chance = 10 ** rnd.uniform(-1.5, -0.2)
        for task in work:
            always, sometimes = self.tasks[task]
            for operation in always + [o for o in sometimes if rnd.random() < 0.8]:
                identity.automation.append((operation, chance * rnd.uniform(0.4, 1), start, self.days))
        for task in work:
            for operation in self.tasks[task][0] + self.tasks[task][1]:
                if rnd.random() < 0.75:
                    identity.first_uses.append((start, operation))

    def fleet(self):
        """One new version in many roles, within days."""
        rnd = self.random
        start, task = rnd.randrange(self.days), rnd.choice(self.task_names)
        operations = self.tasks[task][0][:1] + self.tasks[task][1][:1]
        chance = 10 ** rnd.uniform(-1.5, -0.3)
        count = min(len(self.machines), rnd.randrange(4, 10 + len(self.machines) // 12))
        for identity in rnd.sample(self.machines, count):
            begin = start + rnd.choice([0, 0, 0, 1, 1, 2, 3, 5])
            for operation in operations:
                identity.automation.append((operation, chance, begin, self.days))
                identity.first_uses.append((begin, operation))

    def break_glass(self):
        """An incident: one person does, in a burst, what nobody does."""
        rnd = self.random
        identity = rnd.choice([i for i in self.people if i.job in ("sre", "security", "platform")])
        day = rnd.randrange(self.days)
        for task in (["sadel", "key", "proj", "role", "orgpol"] if self.gcp else
                     ["offboard", "inline", "trust", "rotate", "boundary", "reset"]):
            if rnd.random() < 0.6:
                identity.planned.append((day, task))
                if rnd.random() < 0.3:
                    identity.planned.append((day + 1, task))

    def set_up(self, account):
        """Every account is set up by a role of the same name."""
        name, kind = f"arn:aws:iam::{account}:role/stacksets-exec-0123", "role"
        if self.gcp:
            name, kind = f"cloud-foundation@{account}.iam.gserviceaccount.com", "service_account"
        identity = self.add(account, name, kind, "stackset", self.born[account], days_a_week=2.5,
                            session="StackSet")
        for task in ["sa", "proj", "role", "bucket"] if self.gcp else ["role", "policy", "slr", "bucket", "kmspol"]:
            identity.planned.append((self.born[account] + self.random.randrange(3), task))
            identity.automation += [(o, 0.02, 0, self.days) for o in self.tasks[task][0]]

    def go_away(self):
        """Some come back only after weeks or months."""
        rnd = self.random
        for identity in self.identities:
            if identity.job in ("dev", "data", "legacy", "instance", "lambda") and rnd.random() < 0.06:
                identity.absence = (rnd.randrange(self.days // 3), rnd.randrange(40, 150))

    def lack_permission(self):
        """An automation is denied an operation every day, until somebody sees to it."""
        rnd = self.random
        identity, day, length = rnd.choice(self.machines), rnd.randrange(self.days), rnd.randrange(2, 25)
        self.broken.append((identity, day, length, rnd.choice(self.tasks[rnd.choice(self.task_names)][0])))

    # What happens

    def put(self, identity, day, second, operation, failed=False, attack=0):
        self.events.append((day, min(DAY - 1, int(second)), identity, operation, bool(failed), attack))

    def some_second(self, identity):
        return self.random.uniform(8, 18.5) * 3600 if identity.office else self.random.random() * DAY

    def sitting(self, identity, day, task):
        """A task is done, with failures at first now and then."""
        rnd = self.random
        second, denied = self.some_second(identity), rnd.random() < identity.failing
        always, sometimes = self.tasks[task]
        for operation in always + [o for o in sometimes if rnd.random() < 0.28]:
            if self.mix and rnd.random() < self.mix:
                operation = rnd.choice(self.every_operation)
            if rnd.random() < 0.93:
                self.put(identity, day, second, operation, denied and rnd.random() < 0.8)
                second += rnd.expovariate(1 / 60.0)
            if denied and rnd.random() < 0.4:
                self.put(identity, day, second, operation)
        self.active[identity].add(day)

    def simulate(self):
        rnd = self.random
        for identity in self.identities:
            self.choose_days(identity)
            self.work(identity)
        for crew, task, length, chance in self.rotas:
            for day in range(self.days):
                identity = crew[(day // length) % len(crew)]
                if day >= identity.start and rnd.random() < chance and day % 7 < 5:
                    second = rnd.uniform(0, 86000)
                    always, sometimes = self.tasks[task]
                    for operation in always + [o for o in sometimes if rnd.random() < 0.3]:
                        self.put(identity, day, second, operation)
                        second += 40
                    self.active[identity].add(day)
        for identity, start, length, operation in self.broken:
            for day in range(start, min(self.days, start + length)):
                if day in self.active[identity]:
                    self.put(identity, day, rnd.uniform(0, 86000), operation, True)

    def choose_days(self, identity):
        active = self.active[identity] = set()
        for day in range(identity.start, identity.end):
            if identity.absence and identity.absence[0] <= day < sum(identity.absence):
                continue
            chance = identity.days_a_week / 7
            if identity.office:
                weekend, holiday = day % 7 in (5, 6), day in self.holidays
                chance = identity.days_a_week / 5 * (0.03 if weekend else 1) * (0.12 if holiday else 1)
            if self.random.random() < chance:
                active.add(day)

    def work(self, identity):
        rnd, days, active = self.random, self.days, self.active[identity]
        for day in sorted(active):
            moved = identity.move and day >= identity.move[0]
            sittings, weights = identity.move[1:] if moved else (identity.sittings, identity.task_weights)
            for _ in range(self.poisson(sittings) if sittings else 0):
                self.sitting(identity, day, self.choose(weights))
            if identity.job in self.jobs and rnd.random() < identity.stray * min(1, 0.1 + 2 * identity.sittings):
                self.sitting(identity, day, self.any_task())
            run = self.some_second(identity)        # automation works in runs of minutes
            for operation, chance, start, end in identity.automation:
                if start <= day < end and rnd.random() < chance:
                    second = run if rnd.random() < 0.8 else self.some_second(identity)
                    self.put(identity, day, second, operation, rnd.random() < identity.failing * 0.15)
                    run += rnd.expovariate(1 / 20.0)
        for period, phase, task in identity.duties:
            for day in range(phase, days, period):
                day += rnd.choice([0, 0, 0, 1, 2])
                if identity.start <= day < days and not (identity.office and day in self.holidays):
                    self.sitting(identity, day, task)
        for day, task in identity.planned:
            if identity.start <= day < days:
                self.sitting(identity, day, task)
        run = {}
        for day, operation in identity.first_uses:
            if identity.start <= day < days:
                run[day] = run.get(day, self.some_second(identity)) + rnd.expovariate(1 / 30.0)
                self.put(identity, day, run[day], operation)
                active.add(day)
