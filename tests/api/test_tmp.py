def test_x(local, shop):
    rows=local.get("/v1/tables/requirements?limit=3&deliveries__gte=1").json()["rows"]
    r=rows[0]["requirement_id"]
    import time
    from replays.as_of import state
    state(shop.ledger,"requirement",r)
    import cProfile,pstats
    p=cProfile.Profile(); p.enable()
    state(shop.ledger,"requirement",r)
    p.disable(); pstats.Stats(p).sort_stats("cumtime").print_stats(25)
    t=time.time(); h=local.get(f"/v1/history/requirement/{r}"); print(h.status_code,time.time()-t,h.text[:1500])
    e=local.get(f"/v1/explain/requirements/{r}/status"); print(e.text)
    assert 0
