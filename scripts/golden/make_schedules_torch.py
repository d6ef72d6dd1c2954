"""train/testdata/golden/schedules_torch.json: learning rates of PyTorch's OneCycleLR, which Keras has not. PyTorch 2.15."""
import warnings

import numpy as np
import torch

import golden


def case(name, total, **args):
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    opt = torch.optim.SGD([weight], 1.0, momentum=0.9)
    schedule = torch.optim.lr_scheduler.OneCycleLR(opt, max_lr=0.3, total_steps=total, **args)
    rates = [opt.param_groups[0]["lr"]]
    for _ in range(total - 1):
        opt.step()
        schedule.step()
        rates.append(opt.param_groups[0]["lr"])
    attrs = dict(total=total, pct_start=args.get("pct_start", 0.3), div=args.get("div_factor", 25), final_div=args.get("final_div_factor", 1e4),
                 linear=int(args.get("anneal_strategy") == "linear"), three_phase=int(args.get("three_phase", False)), learning_rate=0.3)
    return golden.case(name, attrs, {"rate": (np.array(rates), "float64")})


warnings.simplefilter("ignore")
golden.write(golden.TRAIN, "schedules_torch.json", [
    case("onecycle", 40),
    case("onecycle_odd", 37, pct_start=0.25, div_factor=10.0, final_div_factor=100.0),
    case("onecycle_linear", 40, anneal_strategy="linear"),
    case("onecycle_three_phase", 40, three_phase=True),
    case("onecycle_three_phase_linear", 37, three_phase=True, pct_start=0.4, anneal_strategy="linear"),
])
