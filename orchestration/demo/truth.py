class Truth:
    def __init__(self, plan, folder, until): self.path=folder/'truth.json'; self.planted=[]
    def month(self,*a): pass
    def write(self,*a): pass
