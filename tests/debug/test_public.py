"""The names users import, whatever was imported before."""
from __future__ import annotations


def test_functions_stay_functions():
    import netdef.debug
    import netdef.debug.netcheck
    import netdef.debug.recording
    import netdef.debug.rerun

    for name in netdef.debug.__all__:
        assert callable(getattr(netdef.debug, name)), name


def test_a_net_inside_a_caffemodel_is_checked_with_the_params_in_it(tmp_path):
    import netdef
    from netdef.debug.netcheck import check

    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }\n'
                    'layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }\n'
                    'layer { name: "root" type: "Power" bottom: "y" top: "z" power_param { power: 0.5 } }\n')
    net = netdef.Net(str(path))
    net.params["ip"][0].data[...] = 0
    net.params["ip"][1].data[...] = 4
    net.save(tmp_path / "net.caffemodel")
    report = check(str(tmp_path / "net.caffemodel"), "TEST")
    assert report.ok  # with params of 0, a root of 0 has no gradient
