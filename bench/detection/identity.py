"""Who is in a generated organisation."""

DAY = 86400         # seconds


class Identity:
    """One principal in one account.  A person who works in several accounts is one of these in each."""

    def __init__(self, account, name, kind, job, start, end, **more):
        self.account, self.name, self.kind, self.job = account, name, kind, job
        self.start, self.end = start, end   # days between which it exists
        self.days_a_week = 7.0
        self.sittings = 0.0                 # with IAM operations, a day of activity (mean)
        self.task_weights = {}
        self.office = False                 # works by day, on working days
        self.session = ""                   # name of the AWS role session
        self.failing = 0.0                  # share of sittings that are denied at first
        self.stray = 0.0                    # chance of a task that is not its own, a day
        self.automation = []                # (operation, chance a day, first day, last day)
        self.duties = []                    # (period in days, phase, task)
        self.planned = []                   # (day, task)
        self.first_uses = []                # (day, operation) of a roll-out
        self.absence = None                 # (first day, number of days)
        self.move = None                    # (day, new number of sittings, new task weights)
        self.__dict__.update(more)
